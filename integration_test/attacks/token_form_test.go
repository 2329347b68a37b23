package attacks

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func stdBase64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

// TestSerialization writes a good token in other forms.
func TestSerialization(t *testing.T) {
	s := newTarget(t)
	token := forge(`{"alg":"RS256"}`, claims(), s.rs256)
	s.accepts(t, rsGate, token)
	part := strings.Split(token, ".")
	flat := `{"protected":"` + part[0] + `","payload":"` + part[1] + `","signature":"` + part[2] + `"}`
	for name, text := range map[string]string{
		"flattened JSON":                      flat,
		"flattened JSON with claims beside":   strings.Replace(flat, "{", `{"sub":"admin","exp":9999999999,`, 1),
		"general JSON":                        `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] + `"}]}`,
		"general JSON with two signatures":    `{"payload":"` + part[1] + `","signatures":[{"protected":"` + b64(`{"alg":"none"}`) + `","signature":""},{"protected":"` + part[0] + `","signature":"` + part[2] + `"}]}`,
		"JSON with an unprotected header":     `{"header":{"alg":"none"},"payload":"` + part[1] + `","signature":""}`,
		"flattened JSON in base64":            b64(flat),
		"in quotes":                           `"` + token + `"`,
		"in angle brackets":                   "<" + token + ">",
		"with a dot before":                   "." + token,
		"with a dot behind":                   token + ".",
		"with two dots within":                strings.Replace(token, ".", "..", 1),
		"two parts":                           part[0] + "." + part[1],
		"one part":                            part[0],
		"four parts":                          token + "." + part[2],
		"five parts":                          token + "." + part[1] + "." + part[2],
		"dots only":                           "..",
		"a thousand dots":                     strings.Repeat(".", 1000),
		"twice, joined by a comma":            token + "," + token,
		"twice, joined by a space":            token + " " + token,
		"with a parameter":                    token + `, realm="x"`,
		"as a parameter":                      `token="` + token + `"`,
		"in base64 once more":                 b64(token),
		"percent-encoded":                     strings.ReplaceAll(token, ".", "%2E"),
		"with other dots":                     strings.ReplaceAll(token, ".", "。"),
		"general JSON with members beside":    `{"alg":"none","payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] + `"}],"sub":"admin"}`,
		"flattened JSON behind spaces":        "   " + flat,
		"flattened JSON behind a tab":         "\t" + flat,
		"flattened JSON, percent-encoded":     url.QueryEscape(flat),
		"flattened JSON in a list":            "[" + flat + "]",
		"flattened JSON without a header":     `{"payload":"` + part[1] + `","signature":"` + part[2] + `"}`,
		"flattened JSON with dots":            `{"payload":"` + token + `"}`,
		"all percent-encoded":                 url.QueryEscape(part[0]) + "%2e" + part[1] + "%2e" + part[2],
		"with a letter percent-encoded":       "%65" + token[1:],
		"with a NUL encoded behind":           token + "%00",
		"with a line break encoded behind":    token + "%0A",
		"with an ellipsis":                    part[0] + "…" + part[1] + "." + part[2],
		"by its name":                         "Bearer " + token,
		"by its name, joined":                 "Bearer." + token,
		"as form data":                        "access_token=" + token,
		"as JSON":                             `{"access_token":"` + token + `"}`,
		"padded":                              token + "==",
		"padded in the middle":                part[0] + "=." + part[1] + "." + part[2],
		"with a tab within":                   part[0] + ".\t" + part[1] + "." + part[2],
		"header and claims exchanged":         part[1] + "." + part[0] + "." + part[2],
		"claims of one, signature of another": part[0] + "." + strings.Split(forge(`{"alg":"RS256"}`, claims(`"a":1`), s.rs256), ".")[1] + "." + part[2],
		"the header of another":               b64(`{"alg":"RS256" }`) + "." + part[1] + "." + part[2],
		"no header":                           "." + part[1] + "." + part[2],
		"no claims":                           part[0] + ".." + part[2],
		"SAML":                                b64(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">`),
		"PASETO":                              "v4.public." + part[1] + part[2],
		"a macaroon":                          "MDAyMWxvY2F0aW9uIGh0dHA6Ly9leGFtcGxlLmNvbS8K",
	} {
		t.Run("JWT-1: "+name, func(t *testing.T) { s.refuses(t, rsGate, text) })
	}
}

// TestBase64 has the one encoding of a token in other spellings: a second
// spelling of a signed token would get around whatever remembers the first.
func TestBase64(t *testing.T) {
	s := newTarget(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for name, token := range map[string]string{
		"ES256": forge(`{"alg":"ES256"}`, claims(), s.es256), "EdDSA": forge(`{"alg":"EdDSA"}`, claims(), s.eddsa),
	} {
		path := map[string]string{"ES256": esGate, "EdDSA": edGate}[name]
		s.accepts(t, path, token)
		t.Run("JWT-1: "+name+", in the standard alphabet", func(t *testing.T) {
			own := token
			for i := 0; !strings.ContainsAny(own[strings.LastIndexByte(own, '.'):], "-_"); i++ {
				own = forge(`{"alg":"`+name+`"}`, claims(`"jti":"`+strconv.Itoa(i)+`"`), map[string]signer{"ES256": s.es256, "EdDSA": s.eddsa}[name])
			}
			s.accepts(t, path, own)
			s.refuses(t, path, strings.NewReplacer("-", "+", "_", "/").Replace(own))
		})
		for _, filling := range []string{"=", "==", "===", "%3D", "A", "AA", "AAAA", "+", "\u200b", "\ufeff"} {
			t.Run("JWT-1: "+name+", filled with "+strconv.QuoteToASCII(filling), func(t *testing.T) {
				parts := strings.SplitAfter(token, ".")
				for i := range parts {
					part := strings.TrimSuffix(parts[i], ".")
					changed := slices.Clone(parts)
					changed[i] = part + filling + strings.TrimPrefix(parts[i], part)
					s.refuses(t, path, strings.Join(changed, ""))
				}
			})
		}
		last := strings.IndexByte(alphabet, token[len(token)-1])
		for bits := 1; bits < 16; bits++ { // 64 bytes leave four bits of the last letter
			t.Run("JWT-1: "+name+", the unused bits of the last letter", func(t *testing.T) {
				s.refuses(t, path, token[:len(token)-1]+string(alphabet[last^bits]))
			})
		}
	}
}

// TestJSON writes header and claims so that two readers understand two things.
// All are signed by the issuer, who may have copied what a stranger wrote.
func TestJSON(t *testing.T) {
	s := newTarget(t)
	header := `{"alg":"RS256"}`
	s.accepts(t, rsGate, forge(header, claims(), s.rs256))
	for name, text := range map[string]string{
		"sub twice":                     claims(`"sub":"admin"`),
		"exp twice":                     claims(`"exp":9999999999`),
		"aud twice":                     claims(`"aud":"https://other.example"`),
		"iss twice":                     claims(`"iss":"https://idp.example.com"`),
		"scope twice":                   claims(`"scope":"admin"`),
		"a member twice that none asks": claims(`"x":1`, `"x":2`),
		"twice deep inside":             claims(`"a":{"b":[{"c":1,"c":2}]}`),
		"twice by an escape":            claims(`"\u0073ub":"admin"`),
		"twice by another escape":       claims(`"s\u0075b":"admin"`),
		"in capitals":                   claims(`"SUB":"admin"`),
		"with a capital":                claims(`"Sub":"admin"`),
		"exp in capitals":               claims(`"EXP":9999999999`),
		"aud in capitals":               claims(`"AUD":"https://api.example.com"`),
		"scope in capitals":             claims(`"Scope":"admin"`),
		"a long s":                      claims(`"ſub":"admin"`),
		"Iss":                           claims(`"Iss":"https://evil.example"`),
		"iSS":                           claims(`"iSS":"https://evil.example"`),
		"Nbf":                           claims(`"Nbf":0`),
		"Iat":                           claims(`"Iat":0`),
		"JTI":                           claims(`"JTI":"x"`),
		"Client_Id":                     claims(`"Client_Id":"admin"`),
		"Cnf":                           claims(`"Cnf":{}`),
		"Typ":                           claims(`"Typ":"ID"`),
		"SCP":                           claims(`"SCP":["admin"]`),
		"iss with a long s":             claims(`"i\u017fs":"https://evil.example"`),
		"iss with two":                  claims(`"i\u017f\u017f":"https://evil.example"`),
		"scope with a long s":           claims(`"\u017fcope":"admin"`),
		"exp by an escape":              claims(`"\u0065xp":9999999999`),
		"exp all by escapes":            claims(`"\u0065\u0078\u0070":9999999999`),
		"aud by an escape":              claims(`"a\u0075d":"https://api.example.com"`),
		"exp twice, first the bad":      strings.Replace(claims(), "{", `{"exp":1,`, 1),
		"exp three times":               claims(`"exp":1`, `"exp":2`),
		"cnf twice":                     claims(`"cnf":{}`, `"cnf":{}`),
		"nested 33 deep":                claims(`"n":` + strings.Repeat("[", 33) + strings.Repeat("]", 33)),
		"a list without an end":         claims(`"n":` + strings.Repeat("[", 100)),
		"two objects":                   claims() + claims(),
		"an escape that is none":        claims(`"n":"\x41"`),
		"an escape of three digits":     claims(`"n":"\u004"`),
		"a number with two points":      claims(`"n":1.2.3`),
		"undefined":                     claims(`"n":undefined`),
		"a hash comment":                "#\n" + claims(),
		"a guard of old browsers":       ")]}'\n" + claims(),
		"a long s escaped":              claims(`"\u017fub":"admin"`),
		"a byte order mark":             "\xef\xbb\xbf" + claims(),
		"something behind":              claims() + "{}",
		"a letter behind":               claims() + "x",
		"a comma too many":              strings.TrimSuffix(claims(), "}") + ",}",
		"a comment":                     strings.Replace(claims(), "{", "{/* */", 1),
		"single quotes":                 strings.ReplaceAll(claims(), `"`, `'`),
		"no quotes at a name":           strings.Replace(claims(), `"sub"`, `sub`, 1),
		"UTF-8 that is none":            claims(`"n":"` + "\xff" + `"`),
		"UTF-8 that is too long":        claims(`"n":"` + "\xc0\xaf" + `"`),
		"half a surrogate":              claims(`"n":"\ud800"`),
		"surrogates the wrong way":      claims(`"n":"\udc00\ud800"`),
		"a raw line break in a text":    claims(`"n":"` + "\n" + `"`),
		"NUL behind":                    claims() + "\x00",
		"UTF-16":                        "\xff\xfe{\x00}\x00",
		"nested 1,000 deep":             claims(`"n":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000)),
		"objects nested 1,000 deep":     claims(`"n":` + strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000)),
		"NaN":                           claims(`"n":NaN`),
		"Infinity":                      claims(`"n":Infinity`),
		"a number with a plus":          claims(`"n":+1`),
		"a number with a zero before":   claims(`"n":01`),
		"a hexadecimal number":          claims(`"n":0x1`),
		"a number without digits":       claims(`"n":-`),
		"a list":                        "[" + claims() + "]",
		"a text":                        `"` + b64(claims()) + `"`,
		"a number":                      "1",
		"null":                          "null",
		"true":                          "true",
		"empty":                         " ",
		"YAML":                          "sub: alice",
	} {
		t.Run("JWT-7: claims with "+name, func(t *testing.T) { s.refuses(t, rsGate, forge(header, text, s.rs256)) })
	}
	for name, value := range map[string]string{
		"9,000 zeros": "[" + strings.Repeat("0,", 4500) + "0]", "1,000 objects": "[" + strings.Repeat("{},", 1000) + "{}]", "a text of 9,000 letters": `"` + strings.Repeat("a", 9000) + `"`,
		"a number of 9,000 digits": "0." + strings.Repeat("0", 9000), "nested 30 deep": strings.Repeat("[", 30) + strings.Repeat("]", 30),
	} {
		t.Run("JWT-7: a claim of "+name+" harms nobody", func(t *testing.T) {
			s.accepts(t, rsGate, forge(header, claims(`"n":`+value), s.rs256))
			s.refuses(t, rsGate, forge(header, claims(`"n":`+value), s.ps256))
		})
	}
	for name, text := range map[string]string{
		"alg twice":           `{"alg":"RS256","alg":"RS256"}`,
		"alg twice, none":     `{"alg":"none","alg":"RS256"}`,
		"alg by an escape":    `{"alg":"RS256","\u0061lg":"none"}`,
		"ALG beside alg":      `{"alg":"RS256","ALG":"none"}`,
		"Alg alone":           `{"Alg":"RS256"}`,
		"kid twice":           `{"alg":"RS256","kid":"a","kid":"rs"}`,
		"kid by Kelvin":       `{"alg":"RS256","\u212aid":"rs"}`,
		"crit in capitals":    `{"alg":"RS256","Crit":["x"]}`,
		"typ in capitals":     `{"alg":"RS256","TYP":"dpop+jwt"}`,
		"a list":              `[{"alg":"RS256"}]`,
		"a text":              `"RS256"`,
		"null":                `null`,
		"something behind":    `{"alg":"RS256"}{"alg":"none"}`,
		"a byte order mark":   "\xef\xbb\xbf" + `{"alg":"RS256"}`,
		"half a surrogate":    `{"alg":"RS256","x":"\ud800"}`,
		"nested 1,000 deep":   `{"alg":"RS256","x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		"no quotes at a name": `{alg:"RS256"}`,
	} {
		t.Run("JWT-7: a header with "+name, func(t *testing.T) { s.refuses(t, rsGate, forge(text, claims(), s.rs256)) })
	}
}
