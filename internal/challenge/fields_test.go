package challenge_test

import (
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/challenge"
)

func TestFields(t *testing.T) {
	var (
		bearer  = challenge.Challenge{Scheme: "Bearer", Realm: "api"}
		dpop    = challenge.Challenge{Scheme: "DPoP", Realm: "api", Algorithms: []string{"ES256"}}
		basic   = challenge.Challenge{Scheme: "Basic", Realm: "api"}
		xBasic  = challenge.Challenge{Scheme: "xBasic", Realm: "api"}
		apiKey  = challenge.Challenge{Scheme: "ApiKey", Realm: "api", Extra: []challenge.Parameter{{Name: "in", Value: "header"}}}
		inQuery = challenge.Challenge{Scheme: "ApiKey", Realm: "api", Extra: []challenge.Parameter{{Name: "in", Value: "query"}}}
		other   = challenge.Challenge{Scheme: "Bearer", Realm: "other"}
		failed  = challenge.Challenge{Scheme: "Bearer", Realm: "api", Error: "invalid_token"}
	)
	for name, tc := range map[string]struct {
		given []challenge.Challenge
		want  []string
	}{
		"R9110-10: none is none": {nil, nil},
		"R9110-10 R9110-11 CLI-1: Bearer, DPoP, registered, unregistered": {
			[]challenge.Challenge{apiKey, basic, dpop, bearer},
			[]string{`Bearer realm="api"`, `DPoP realm="api", algs="ES256"`, `Basic realm="api"`, `ApiKey realm="api", in="header"`},
		},
		"R9110-10: those of one rank stay in the given order": {
			[]challenge.Challenge{inQuery, xBasic, apiKey, other, bearer},
			[]string{`Bearer realm="other"`, `Bearer realm="api"`, `ApiKey realm="api", in="query"`, `xBasic realm="api"`, `ApiKey realm="api", in="header"`},
		},
		"R9110-10: one for each scheme and realm":     {[]challenge.Challenge{bearer, bearer, basic, basic}, []string{`Bearer realm="api"`, `Basic realm="api"`}},
		"R9110-10: the one that names an error stays": {[]challenge.Challenge{bearer, failed}, []string{`Bearer realm="api", error="invalid_token"`}},
		"R9110-10: wherever it stands":                {[]challenge.Challenge{failed, bearer}, []string{`Bearer realm="api", error="invalid_token"`}},
		"R9110-10: another realm is another challenge": {
			[]challenge.Challenge{other, failed}, []string{`Bearer realm="other"`, `Bearer realm="api", error="invalid_token"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(tc.given)
			if got := challenge.Fields(tc.given); !slices.Equal(got, tc.want) {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
			for i := range before {
				if tc.given[i].String() != before[i].String() {
					t.Errorf("the argument was changed: %s", tc.given[i])
				}
			}
		})
	}
	t.Run("R9110-10: the order is the same each time", func(t *testing.T) {
		given := []challenge.Challenge{apiKey, inQuery, xBasic, basic, other, dpop, failed, bearer}
		want := challenge.Fields(given)
		for range 1000 {
			if got := challenge.Fields(given); !slices.Equal(got, want) {
				t.Fatalf("\n got %q\nthen %q", want, got)
			}
		}
	})
}
