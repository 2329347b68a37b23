package attacks

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// What RFC 7515 publishes: claims of the year 2011, signed in two ways.
const (
	rfcClaims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

	rfcRSA    = `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`
	rfcEC     = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfcEd     = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rs256Text = "eyJhbGciOiJSUzI1NiJ9." + rfcClaims + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	es256Text = "eyJhbGciOiJFUzI1NiJ9." + rfcClaims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	hs256Text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfcClaims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	eddsaText = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

// TestVectors has tokens of the specifications. Two are good, except that they
// have expired: the answer says so only after the signature was found good.
func TestVectors(t *testing.T) {
	set := write(t, t.TempDir(), "keys.json", []byte(`{"keys":[`+rfcRSA+","+rfcEC+","+rfcEd+`]}`))
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
		"RFC 7515 A.1, HS256, of another key":          hs256Text,
		"RFC 7515 A.5, unsecured":                      "eyJhbGciOiJub25lIn0." + rfcClaims + ".",
		"RFC 7515 A.6, two signatures":                 `{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","header":{"kid":"2010-12-29"},"signature":"` + part[2] + `"}]}`,
		"RFC 7515 A.7, flattened":                      `{"payload":"` + part[1] + `","protected":"` + part[0] + `","header":{"kid":"e"},"signature":"` + part[2] + `"}`,
		"RFC 7515 appendix E, crit":                    "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.",
		"RFC 7797 4.2, a payload that is not encoded":  "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
		"RFC 8037 A.4, EdDSA over what is no claims":   eddsaText,
		"the signature of A.3 under the header of A.2": part[0] + "." + part[1] + es256Text[strings.LastIndexByte(es256Text, '.'):],
		"the signature of A.2 under the header of A.3": "eyJhbGciOiJFUzI1NiJ9." + part[1] + "." + part[2],
		"RFC 7519 6.1, an unsecured token":             "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
	} {
		t.Run("JWT-1: "+name, func(t *testing.T) { s.refuses(t, rsGate, token) })
	}
}
