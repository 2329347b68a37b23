package dpop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

func wantRefused(t *testing.T, r Request, reason string) {
	t.Helper()
	_, err := (&Verifier{Now: at(start)}).Verify(r)
	mustBeInvalid(t, err, reason)
}

func TestVerifyRefusesFields(t *testing.T) {
	sound := proof(t, edKey(t), nil, nil)
	parts := strings.Split(sound, ".")
	// The signature of Ed25519 has 64 bytes: four bits of its last character do not count.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", sound[len(sound)-1])
	loose := sound[:len(sound)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	for name, test := range map[string]struct {
		fields []string
		reason string
	}{
		"R9449-2: no field":                {nil, "0 DPoP fields"},
		"R9449-2: two fields":              {[]string{sound, sound}, "2 DPoP fields"},
		"R9449-2: two proofs in one field": {[]string{sound + ", " + sound}, "three parts"},
		"R9449-2: empty":                   {[]string{""}, "three parts"},
		"R9449-2: two parts":               {[]string{parts[0] + "." + parts[1]}, "three parts"},
		"R9449-2: four parts":              {[]string{sound + ".AA"}, "three parts"},
		"R9449-2: five parts":              {[]string{sound + ".AA.AA"}, "three parts"},
		"R9449-2: no signature":            {[]string{parts[0] + "." + parts[1] + "."}, "three parts"},
		"R9449-2: JSON serialization":      {[]string{`{"payload":"a.b.c"}`}, "not base64url"},
		"R9449-2: padding":                 {[]string{sound + "=="}, "signature: not base64url"},
		"R9449-2: loose bits at the end":   {[]string{loose}, "signature: not base64url"},
		"R9449-2: line break":              {[]string{sound[:len(sound)-9] + "\n" + sound[len(sound)-9:]}, "signature: not base64url"},
		"R9449-2: space in front":          {[]string{" " + sound}, "header: not base64url"},
		"R9449-2: standard base64":         {[]string{parts[0] + "." + parts[1] + ".+/+/"}, "signature: not base64url"},
		"R9449-2: longer than 8 KiB":       {[]string{proof(t, edKey(t), members{"a": strings.Repeat("a", 8<<10)}, nil)}, "longer than"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, request(test.fields...), test.reason) })
	}
}

func TestVerifyRefusesJSON(t *testing.T) {
	key := edKey(t)
	sound := proof(t, key, nil, nil)
	header, claims := string(part(t, sound, 0)), string(part(t, sound, 1))
	for name, test := range map[string]struct{ header, claims, reason string }{
		"R9449-2: header is no JSON":            {"x", claims, "header: no value"},
		"R9449-2: header is a list":             {"[]", claims, "header: not an object"},
		"R9449-2: claims are a string":          {header, `"a"`, "claims: not an object"},
		"R9449-2: header names alg twice":       {`{"alg":"none",` + header[1:], claims, "header: repeated member"},
		"R9449-2: jwk names x twice":            {strings.Replace(header, `"crv"`, `"x":"AA","crv"`, 1), claims, "header: repeated member"},
		"R9449-2: claims name htm twice":        {header, `{"htm":"PUT",` + claims[1:], "claims: repeated member"},
		"R9449-2: text after the claims":        {header, claims + "{}", "claims: text after"},
		"R9449-2: claims are not UTF-8":         {header, `{"a":"` + "\xff" + `",` + claims[1:], "claims: not UTF-8"},
		"R9449-2: a claim in other letter case": {header, `{"Htm":"PUT",` + claims[1:], "claims: htm is spelled"},
		"R9449-2: a parameter likewise":         {`{"ALG":"none",` + header[1:], claims, "header: alg is spelled"},
		"R9449-4: a member of jwk likewise":     {strings.Replace(header, `"crv"`, `"D":"AA","crv"`, 1), claims, "jwk: d is spelled"},
	} {
		t.Run(name, func(t *testing.T) {
			field := dpoptest.Sign(t, key, "EdDSA", []byte(test.header), []byte(test.claims))
			wantRefused(t, request(field), test.reason)
		})
	}
}

func TestVerifyRefusesHeader(t *testing.T) {
	ec := ecKey(t, elliptic.P256())
	for name, test := range map[string]struct {
		header members
		reason string
	}{
		"R9449-4: no typ":             {members{"typ": nil}, "typ is not"},
		"R9449-4: typ JWT":            {members{"typ": "JWT"}, "typ is not"},
		"R9449-4: typ at+jwt":         {members{"typ": "at+jwt"}, "typ is not"},
		"R9449-4: typ with text more": {members{"typ": "dpop+jwt;a=b"}, "typ is not"},
		"R9449-4: typ is a number":    {members{"typ": 1}, "typ is not"},
		"R9449-4: typ is a list":      {members{"typ": []string{"dpop+jwt"}}, "typ is not"},
		"R9449-4: no alg":             {members{"alg": nil}, "alg is missing"},
		"R9449-4: alg none":           {members{"alg": "none"}, "alg is missing or not"},
		"R9449-4: alg HS256":          {members{"alg": "HS256"}, "alg is missing or not"},
		"R9449-4: alg off the list":   {members{"alg": "RS384"}, "alg is missing or not"},
		"R9449-4: alg in other case":  {members{"alg": "es256"}, "alg is missing or not"},
		"R9449-4: alg is a list":      {members{"alg": []string{"ES256"}}, "alg is missing or not"},
		"R9449-4: crit":               {members{"crit": []string{"exp"}}, "crit is not understood"},
		"R9449-4: empty crit":         {members{"crit": []string{}}, "crit is not understood"},
		"R9449-4: b64":                {members{"b64": true}, "b64 is not understood"},
		"R9449-4: no jwk":             {members{"jwk": nil}, "jwk is missing"},
		"R9449-4: jwk is null":        {members{"jwk": json.RawMessage("null")}, "jwk is missing"},
		"R9449-4: jwk is a string":    {members{"jwk": string(toJSON(t, dpoptest.JWK(t, ec.Public())))}, "jwk is missing or not"},
		"R9449-4: jwk is a list":      {members{"jwk": []any{dpoptest.JWK(t, ec.Public())}}, "jwk is missing or not"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, request(proof(t, ec, nil, test.header)), test.reason) })
	}
}

func TestVerifyRefusesKeys(t *testing.T) {
	ec, ed, short := ecKey(t, elliptic.P256()), edKey(t), rsaKey(t, 1024)
	jwk := func(key crypto.Signer, changes members) members { return with(dpoptest.JWK(t, key.Public()), changes) }
	long := rsaKey(t, 2048)
	modulus := encode(append([]byte{0xff}, bytes.Repeat([]byte{0xff}, 512)...)) // 4104 bits
	tests := map[string]struct {
		key    crypto.Signer
		alg    string
		jwk    members
		reason string
	}{
		"R9449-4: symmetric":                     {ec, "ES256", members{"kty": "oct", "k": "AAAA"}, "private member k"},
		"R9449-4: symmetric without a secret":    {ec, "ES256", members{"kty": "oct"}, "not a valid"},
		"R9449-4: no kty":                        {ec, "ES256", jwk(ec, members{"kty": nil}), "not a valid"},
		"R9449-4: kty of another kind":           {ec, "ES256", jwk(ec, members{"kty": "OKP"}), "not a valid"},
		"R9449-4: unknown curve":                 {ec, "ES256", jwk(ec, members{"crv": "P-224"}), "not a valid"},
		"R9449-4: x is a number":                 {ec, "ES256", jwk(ec, members{"x": 1}), "not a valid"},
		"R9449-4: no y":                          {ec, "ES256", jwk(ec, members{"y": nil}), "not a valid"},
		"R9449-4: point off the curve":           {ec, "ES256", jwk(ec, members{"y": encode(make([]byte, 32))}), "not a valid"},
		"R9449-4: point at infinity":             {ec, "ES256", jwk(ec, members{"x": "AA", "y": "AA"}), "not a valid"},
		"R9449-4: coordinate with a zero more":   {ec, "ES256", jwk(ec, members{"x": encode(append([]byte{0}, ec.X.FillBytes(make([]byte, 32))...))}), "spells x"},
		"R9449-4: coordinate in padded base64":   {ec, "ES256", jwk(ec, members{"x": base64.URLEncoding.EncodeToString(ec.X.FillBytes(make([]byte, 32)))}), "spells x"},
		"R9449-4: Ed25519 key of 31 bytes":       {ed, "EdDSA", jwk(ed, members{"x": encode(make([]byte, 31))}), "not a valid"},
		"R9449-4: X25519 key":                    {ed, "EdDSA", jwk(ed, members{"crv": "X25519"}), "not a valid"},
		"R9449-4: RSA of 1024 bits":              {short, "RS256", jwk(short, nil), "not a valid"},
		"R9449-4: RSA of 4104 bits":              {long, "RS256", jwk(long, members{"n": modulus}), "more than 4096 bits"},
		"R9449-4: exponent 1":                    {long, "RS256", jwk(long, members{"e": "AQ"}), "not a valid"},
		"R9449-4: exponent of 5 bytes":           {long, "RS256", jwk(long, members{"e": "AQAAAAE"}), "not a valid"},
		"R9449-4: exponent with a zero more":     {long, "RS256", jwk(long, members{"e": "AAEAAQ"}), "spells e"},
		"R9449-4: ES256 with P-384":              {ecKey(t, elliptic.P384()), "ES256", nil, "not a valid"},
		"R9449-4: ES256 with RSA":                {long, "ES256", nil, "not a valid"},
		"R9449-4: RS256 with P-256":              {ec, "RS256", nil, "not a valid"},
		"R9449-4: EdDSA with P-256":              {ec, "EdDSA", nil, "not a valid"},
		"R9449-4: the key of another client":     {ec, "ES256", jwk(ecKey(t, elliptic.P256()), nil), "signature does not fit"},
		"R9449-4: PS256 with padding of RS256":   {long, "PS256", jwk(rsaKey(t, 2048), nil), "signature does not fit"},
		"R9449-4: Ed25519 key of another client": {ed, "Ed25519", jwk(edKey(t), nil), "signature does not fit"},
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		tests["R9449-4: private member "+member] = struct {
			key    crypto.Signer
			alg    string
			jwk    members
			reason string
		}{ec, "ES256", jwk(ec, members{member: json.RawMessage("null")}), "private member " + member}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := members{"alg": test.alg}
			if test.jwk != nil {
				header["jwk"] = test.jwk
			}
			wantRefused(t, request(proof(t, test.key, nil, header)), test.reason)
		})
	}
}

func TestVerifyRefusesSignatures(t *testing.T) {
	ec := ecKey(t, elliptic.P256())
	first, second := proof(t, ec, nil, nil), proof(t, ec, members{"jti": "2"}, nil)
	parts, others := strings.Split(first, "."), strings.Split(second, ".")
	signature := part(t, first, 2)
	der, err := ecdsa.SignASN1(bytes.NewReader(nil), ec, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, field := range map[string]string{
		"R9449-4: claims of another proof":    parts[0] + "." + others[1] + "." + parts[2],
		"R9449-4: header that was not signed": encode(append([]byte(" "), part(t, first, 0)...)) + "." + parts[1] + "." + parts[2],
		"R9449-4: signature of zeros":         parts[0] + "." + parts[1] + "." + encode(make([]byte, 64)),
		"R9449-4: shortened signature":        parts[0] + "." + parts[1] + "." + encode(signature[:63]),
		"R9449-4: lengthened signature":       parts[0] + "." + parts[1] + "." + encode(append(signature, 0)),
		"R9449-4: signature in DER":           parts[0] + "." + parts[1] + "." + encode(der),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, request(field), "signature does not fit") })
	}
}
