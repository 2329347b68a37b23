package attacks

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// The tokens of RFC 7515: claims of the year 2011, signed in two ways.
const (
	rfcClaims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

	rfcRSA    = `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`
	rfcEC     = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfcEd     = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rs256Text = "eyJhbGciOiJSUzI1NiJ9." + rfcClaims + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	es256Text = "eyJhbGciOiJFUzI1NiJ9." + rfcClaims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	hs256Text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfcClaims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	eddsaText = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

	// RFC 7515 appendix A.1.1, a secret of 64 bytes.
	rfcSecret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

	// RFC 7520 §4 signs a quotation, which is no JSON.
	rfcQuotation = ".SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4."
	rfc7520RSA   = `{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}`
	rfc7520RS256 = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9" + rfcQuotation + "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
	rfc7520PS384 = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9" + rfcQuotation + "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"
	rfc7520EC    = `{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}`
	rfc7520ES512 = "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9" + rfcQuotation + "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"
	rfc7520HS256 = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9" + rfcQuotation + "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"

	// RFC 9449 §7.1, figure 13.
	rfcProof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)

// TestVectors has tokens of the specifications. Two are good, except that they
// have expired: the answer says so only after the signature was found good.
func TestVectors(t *testing.T) {
	set := write(t, t.TempDir(), "keys.json", []byte(`{"keys":[`+strings.Join([]string{rfcRSA, rfcEC, rfcEd, rfc7520RSA, rfc7520EC}, ",")+`]}`))
	s := &target{}
	s.Server = harness.Start(t, "{\nauto_https off\n}\nhttp://localhost:8080 {\nrequire_auth /rs {\nbearer {\naudience *\njwks "+set+"\n}\n}\nrespond ok\n}")
	for name, token := range map[string]string{"RFC 7515 A.2, RS256": rs256Text, "RFC 7515 A.3, ES256": es256Text} {
		t.Run("JWT-4 JWT-10: "+name+", good but expired", func(t *testing.T) {
			if r := s.Get("/rs", harness.Bearer(token)); r.Status != 401 || r.Problem().Code != "expired_token" {
				t.Errorf("%d %s %v", r.Status, r.Body, s.lastReason())
			}
		})
		t.Run("JWT-4: "+name+", with one letter changed", func(t *testing.T) {
			s.refuses(t, rsGate, strings.Replace(token, "J", "K", 5))
			s.refuses(t, rsGate, token[:len(token)-2]+"AA")
		})
	}
	part := strings.Split(rs256Text, ".")
	for name, token := range map[string]string{
		"RFC 7515 A.1, HS256, of another key":             hs256Text,
		"RFC 7515 A.5, unsecured":                         "eyJhbGciOiJub25lIn0." + rfcClaims + ".",
		"RFC 7515 A.6, two signatures":                    `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","header":{"kid":"2010-12-29"},"signature":"` + part[2] + `"}]}`,
		"RFC 7515 A.7, flattened":                         `{"payload":"` + part[1] + `","protected":"` + part[0] + `","header":{"kid":"e"},"signature":"` + part[2] + `"}`,
		"RFC 7515 appendix E, crit":                       "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.",
		"RFC 7797 4.2, a payload that is not encoded":     "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
		"RFC 8037 A.4, EdDSA over other text than claims": eddsaText,
		"the signature of A.3 under the header of A.2":    part[0] + "." + part[1] + es256Text[strings.LastIndexByte(es256Text, '.'):],
		"the signature of A.2 under the header of A.3":    "eyJhbGciOiJFUzI1NiJ9." + part[1] + "." + part[2],
		"RFC 7519 6.1, an unsecured token":                "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
		"RFC 7520 4.1, RS256 over other text than claims": rfc7520RS256,
		"RFC 7520 4.2, PS384 over other text than claims": rfc7520PS384,
		"RFC 7520 4.3, ES512 over other text than claims": rfc7520ES512,
		"RFC 7520 4.4, HS256 over other text than claims": rfc7520HS256,
		"RFC 7520 4.5, detached":                          strings.Replace(rfc7520HS256, rfcQuotation, "..", 1),
		"RFC 9449 figure 13, a proof":                     rfcProof,
	} {
		t.Run("JWT-1: "+name, func(t *testing.T) {
			s.refuses(t, rsGate, token)
			if reason := s.lastReason(); reason == nil || reason == "" {
				t.Error("the log has no reason")
			}
		})
	}
}

// TestVectorHS256 has the token of RFC 7515 A.1 at a gate that has its secret, of
// bytes that are no text.
func TestVectorHS256(t *testing.T) {
	path := write(t, t.TempDir(), "secret", must(base64.RawURLEncoding.DecodeString(rfcSecret)))
	s := &target{}
	s.Server = harness.Start(t, "{\nauto_https off\n}\nhttp://localhost:8080 {\nrequire_auth /hs {\nbearer {\naudience *\nhmac_secret {file."+path+"}\n}\n}\nrespond ok\n}")
	t.Run("JWT-4 JWT-10: RFC 7515 A.1, HS256, good but expired", func(t *testing.T) {
		if r := s.Get("/hs", harness.Bearer(hs256Text)); r.Status != 401 || r.Problem().Code != "expired_token" {
			t.Errorf("%d %s %v", r.Status, r.Body, s.lastReason())
		}
	})
	for name, token := range map[string]string{
		"a letter of the signature changed": strings.Replace(hs256Text, ".dBjf", ".dBjg", 1), "a letter of the claims changed": strings.Replace(hs256Text, "eyJpc3M", "eyJpc3N", 1),
		"another header": b64(`{"alg":"HS256"}`) + hs256Text[strings.IndexByte(hs256Text, '.'):], "without the line breaks in it": b64(`{"typ":"JWT","alg":"HS256"}`) + hs256Text[strings.IndexByte(hs256Text, '.'):],
	} {
		t.Run("JWT-4: RFC 7515 A.1, "+name, func(t *testing.T) { s.refuses(t, hsGate, token) })
	}
}
