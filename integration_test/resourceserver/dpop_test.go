package resourceserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

const proofs = `
{
	auth {
		realm api
		bearer corp {` + harness.BearerLines + `
			dpop optional
		}
		bearer strict {` + harness.BearerLines + `
			dpop required
			dpop_nonce
		}
	}
}
http://localhost:8080 {
	require_auth /optional corp
	require_auth /twice corp
	require_auth /twice corp {
		scope read
	}
	require_auth /strict strict
	route /rewritten {
		uri strip_prefix /rewritten
		require_auth corp
		respond ok
	}
	respond ok
}
`

const (
	algorithms = `algs="ES256 ES384 ES512 EdDSA Ed25519 RS256 PS256"`
	badToken   = `error_description="The access token is invalid"`
	badProof   = `error_description="The DPoP proof is invalid"`
)

// holder has a key and a token that is bound to it.
type holder struct {
	key   *ecdsa.PrivateKey
	token string
}

func newHolder(t *testing.T, claims ...harness.Claims) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bound := harness.Claims{"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, key.Public())}}
	return holder{key: key, token: harness.Token(t, append(claims, bound)...)}
}

// proof makes a proof for a request; claims may be replaced.
func (h holder) proof(t *testing.T, method, url string, replaced ...map[string]any) harness.Option {
	t.Helper()
	claims := map[string]any{"htm": method, "htu": url, "ath": dpoptest.Hash(h.token)}
	for _, more := range replaced {
		maps.Copy(claims, more)
	}
	return harness.Header("Dpop", dpoptest.Proof(t, h.key, claims, nil))
}

func (h holder) withToken() harness.Option { return harness.Header("Authorization", "DPoP "+h.token) }

func TestDPoP(t *testing.T) {
	s := harness.Start(t, proofs)
	url := s.URL("/optional")
	offered := []string{`Bearer realm="api"`, `DPoP realm="api", ` + algorithms}
	challengesFor := func(code, description string) []string {
		return []string{`DPoP realm="api", error="` + code + `", ` + algorithms + `, ` + description, offered[0]}
	}
	t.Run("R9449-15: without credentials both are offered without an error", func(t *testing.T) {
		s.Get("/optional").Want(401, "missing_credentials", offered...)
	})
	t.Run("R9449-1: a proof lets the holder in", func(t *testing.T) {
		h := newHolder(t)
		s.Get("/optional", h.withToken(), h.proof(t, "GET", url)).Want(200, "")
	})
	t.Run("R9449-2 R9449-16: no proof, two proofs", func(t *testing.T) {
		h := newHolder(t)
		s.Get("/optional", h.withToken()).Want(401, "invalid_dpop_proof", challengesFor("invalid_dpop_proof", badProof)...)
		s.Get("/optional", h.withToken(), h.proof(t, "GET", url), h.proof(t, "GET", url)).
			Want(401, "invalid_dpop_proof", challengesFor("invalid_dpop_proof", badProof)...)
	})
	for name, replaced := range map[string]map[string]any{
		"R9449-3: no jti":                 {"jti": nil},
		"R9449-5: another method":         {"htm": "POST"},
		"R9449-6: another path":           {"htu": s.URL("/other")},
		"R9449-6: another host":           {"htu": "https://evil.example/optional"},
		"R9449-7: an old proof":           {"iat": 1_000_000_000},
		"R9449-8: for another token":      {"ath": dpoptest.Hash("other")},
		"R9449-3: iat is not a number":    {"iat": "now"},
		"R9449-6: a trailing slash":       {"htu": url + "/"},
		"R9449-5: a method in lower case": {"htm": "get"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHolder(t)
			s.Get("/optional", h.withToken(), h.proof(t, "GET", url, replaced)).
				Want(401, "invalid_dpop_proof", challengesFor("invalid_dpop_proof", badProof)...)
		})
	}
	t.Run("R9449-9: the proof of another key, and a token bound to none", func(t *testing.T) {
		h, thief := newHolder(t), newHolder(t)
		thief.token = h.token
		s.Get("/optional", thief.withToken(), thief.proof(t, "GET", url)).Want(401, "invalid_token", challengesFor("invalid_token", badToken)...)
		unbound := holder{key: h.key, token: harness.Token(t)}
		s.Get("/optional", unbound.withToken(), unbound.proof(t, "GET", url)).Want(401, "invalid_token", challengesFor("invalid_token", badToken)...)
	})
	t.Run("R9449-10: a bound token as Bearer", func(t *testing.T) {
		h := newHolder(t)
		s.Get("/optional", harness.Bearer(h.token), h.proof(t, "GET", url)).Want(401, "invalid_token",
			`Bearer realm="api", error="invalid_token", `+badToken, offered[1])
	})
	t.Run("R9449-11: a proof works once", func(t *testing.T) {
		h := newHolder(t)
		proof := h.proof(t, "GET", url)
		s.Get("/optional", h.withToken(), proof).Want(200, "")
		s.Get("/optional", h.withToken(), proof).Want(401, "invalid_dpop_proof", challengesFor("invalid_dpop_proof", badProof)...)
		s.Reload(proofs)
		s.Get("/optional", h.withToken(), proof).Want(401, "invalid_dpop_proof", challengesFor("invalid_dpop_proof", badProof)...)
	})
	t.Run("a proof is used once for all gates of a request", func(t *testing.T) {
		h := newHolder(t, harness.Claims{"scope": "read"})
		s.Get("/twice", h.withToken(), h.proof(t, "GET", s.URL("/twice"))).Want(200, "")
	})
	t.Run("GW-3 R9449-6: the address before rewrites counts", func(t *testing.T) {
		h := newHolder(t)
		s.Get("/rewritten?a=b", h.withToken(), h.proof(t, "GET", s.URL("/rewritten"))).Want(200, "")
	})
	t.Run("403 is said in the challenge of the scheme used", func(t *testing.T) {
		h := newHolder(t)
		s.Get("/twice", h.withToken(), h.proof(t, "GET", s.URL("/twice"))).Want(403, "insufficient_scope",
			`DPoP realm="api", error="insufficient_scope", scope="read", `+algorithms+`, error_description="The access token lacks a required scope"`)
	})
	t.Run("R9449-15: ambiguous credentials", func(t *testing.T) {
		h := newHolder(t)
		const malformed = `error_description="The request is malformed"`
		s.Get("/optional", h.withToken(), harness.Bearer(h.token)).Want(400, "invalid_request",
			`Bearer realm="api", error="invalid_request", `+malformed,
			`DPoP realm="api", error="invalid_request", `+algorithms+`, `+malformed)
	})
}

func TestDPoPNonce(t *testing.T) {
	s := harness.Start(t, proofs)
	url := s.URL("/strict")
	want := `DPoP realm="api", error="use_dpop_nonce", ` + algorithms + `, error_description="The DPoP proof needs the nonce of this server"`
	h := newHolder(t)
	var nonce string
	t.Run("R9728-10: where proofs are required no Bearer is offered", func(t *testing.T) {
		s.Get("/strict").Want(401, "missing_credentials", `DPoP realm="api", `+algorithms)
		s.Get("/strict", harness.Bearer(harness.Token(t))).Want(401, "invalid_token",
			`DPoP realm="api", error="invalid_token", `+algorithms+`, `+badToken)
	})
	t.Run("R9449-12: a proof without a nonce is told one", func(t *testing.T) {
		answer := s.Get("/strict", h.withToken(), h.proof(t, http.MethodGet, url)).Want(401, "use_dpop_nonce", want)
		if nonces := answer.Header["Dpop-Nonce"]; len(nonces) != 1 || len(nonces[0]) < 16 || strings.ContainsAny(nonces[0], "\"\\ ") {
			t.Fatalf("nonces %q", nonces)
		}
		nonce = answer.Header.Get("DPoP-Nonce")
	})
	t.Run("R9449-12: with the nonce the proof is good", func(t *testing.T) {
		answer := s.Get("/strict", h.withToken(), h.proof(t, http.MethodGet, url, map[string]any{"nonce": nonce})).Want(200, "")
		if got := answer.Header["Dpop-Nonce"]; got != nil {
			t.Errorf("a current nonce is repeated: %q", got)
		}
	})
	t.Run("R9449-12: another nonce is not", func(t *testing.T) {
		s.Get("/strict", h.withToken(), h.proof(t, http.MethodGet, url, map[string]any{"nonce": nonce + "x"})).Want(401, "use_dpop_nonce", want)
	})
}
