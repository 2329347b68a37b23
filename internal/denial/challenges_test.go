package denial_test

import (
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

func TestChallengeFields(t *testing.T) {
	var (
		bearer  = authn.Challenge{Scheme: "Bearer", Realm: "api"}
		dpop    = authn.Challenge{Scheme: "DPoP", Realm: "api", Algorithms: []string{"ES256"}}
		basic   = authn.Challenge{Scheme: "Basic", Realm: "api"}
		xBasic  = authn.Challenge{Scheme: "xBasic", Realm: "api"}
		apiKey  = authn.Challenge{Scheme: "ApiKey", Realm: "api", Extra: []authn.Parameter{{Name: "in", Value: "header"}}}
		inQuery = authn.Challenge{Scheme: "ApiKey", Realm: "api", Extra: []authn.Parameter{{Name: "in", Value: "query"}}}
		other   = authn.Challenge{Scheme: "Bearer", Realm: "other"}
		failed  = authn.Challenge{Scheme: "Bearer", Realm: "api", Error: "invalid_token"}
	)
	for name, tc := range map[string]struct {
		unsorted  []authn.Challenge
		want      []string
		presented string
	}{
		"R9110-10: none is none": {},
		"R9110-10 R9110-11 CLI-1: Bearer, DPoP, registered, unregistered": {
			unsorted: []authn.Challenge{apiKey, basic, dpop, bearer},
			want:     []string{`Bearer realm="api"`, `DPoP realm="api", algs="ES256"`, `Basic realm="api"`, `ApiKey realm="api", in="header"`},
		},
		"R9449-16: DPoP first for a request that came with it": {
			unsorted: []authn.Challenge{basic, dpop, bearer}, want: []string{`DPoP realm="api", algs="ES256"`, `Bearer realm="api"`, `Basic realm="api"`}, presented: "dpop",
		},
		"R9449-16: no other scheme is moved": {
			unsorted: []authn.Challenge{basic, dpop, bearer}, want: []string{`Bearer realm="api"`, `DPoP realm="api", algs="ES256"`, `Basic realm="api"`}, presented: "Basic",
		},
		"R9110-10: those of one rank stay in the given order": {
			unsorted: []authn.Challenge{inQuery, xBasic, apiKey, other, bearer},
			want:     []string{`Bearer realm="other"`, `Bearer realm="api"`, `ApiKey realm="api", in="query"`, `xBasic realm="api"`, `ApiKey realm="api", in="header"`},
		},
		"R9110-10: one for each scheme and realm":     {unsorted: []authn.Challenge{bearer, bearer, basic, basic}, want: []string{`Bearer realm="api"`, `Basic realm="api"`}},
		"R9110-10: the one that names an error stays": {unsorted: []authn.Challenge{bearer, failed}, want: []string{`Bearer realm="api", error="invalid_token"`}},
		"R9110-10: wherever it stands":                {unsorted: []authn.Challenge{failed, bearer}, want: []string{`Bearer realm="api", error="invalid_token"`}},
		"R9110-10: another realm is another challenge": {
			unsorted: []authn.Challenge{other, failed}, want: []string{`Bearer realm="other"`, `Bearer realm="api", error="invalid_token"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(tc.unsorted)
			if got := denial.ChallengeFields(tc.unsorted, tc.presented); !slices.Equal(got, tc.want) {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
			for i := range before {
				if tc.unsorted[i].String() != before[i].String() {
					t.Errorf("the argument was changed: %s", tc.unsorted[i])
				}
			}
		})
	}
	t.Run("R9110-10: the order is the same each time", func(t *testing.T) {
		unsorted := []authn.Challenge{apiKey, inQuery, xBasic, basic, other, dpop, failed, bearer}
		want := denial.ChallengeFields(unsorted, "")
		for range 1000 {
			if got := denial.ChallengeFields(unsorted, ""); !slices.Equal(got, want) {
				t.Fatalf("\n got %q\nthen %q", want, got)
			}
		}
	})
}
