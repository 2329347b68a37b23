package authn_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// TestCostOfLocations has a hundred schemes that look at places of their own.
func TestCostOfLocations(t *testing.T) {
	var locations []authn.Location
	for i := range 100 {
		name := "token" + strconv.Itoa(i)
		locations = append(locations, authn.Location{Kind: authn.InQuery, Name: name}, authn.Location{Kind: authn.InCookie, Name: name})
	}
	for _, unit := range []string{"a", "&", ";", "=", "a&", "a;", "%61&", "t&", "token7", "token7=a&", "token7;", "%", "+&", `token7="";`} {
		cost := func(locations []authn.Location, bytes int) int64 {
			value := strings.Repeat(unit, bytes/len(unit))
			r := &http.Request{URL: &url.URL{RawQuery: value}, Header: http.Header{"Cookie": {value}}}
			request := authn.NewRequest(r)
			request.Expect(new(authn.Names).At(locations))
			return steps.Of(func() {
				for _, location := range locations {
					_, _ = authn.FindIn(request, []authn.Location{location})
				}
			})
		}
		t.Run("COST-1: a query and cookies of "+unit+" are read once for all places", func(t *testing.T) {
			once, twice, alone := cost(locations, 4000), cost(locations, 8000), cost(locations[:2], 4000)
			if once == 0 || once != alone || twice > 2*once+16 {
				t.Errorf("%d steps, %d for twice as much, and %d for one scheme", once, twice, alone)
			}
		})
	}
	t.Run("COST-1: what stands at a place is read again when it has changed", func(t *testing.T) {
		r := &http.Request{URL: &url.URL{RawQuery: "token1=a"}, Header: http.Header{"Cookie": {"token2=b"}}}
		request := authn.NewRequest(r)
		request.Expect(new(authn.Names).At(locations))
		find := func(in authn.LocationKind, name string) string {
			found, err := authn.FindIn(request, []authn.Location{{Kind: in, Name: name}})
			if err != nil {
				t.Error(err)
			}
			return found.Value
		}
		if find(authn.InQuery, "token1") != "a" || find(authn.InCookie, "token2") != "b" {
			t.Error("it is not found")
		}
		r.URL.RawQuery = "token1=c"
		r.Header.Set("Cookie", "token2=d")
		if find(authn.InQuery, "token1") != "c" || find(authn.InCookie, "token2") != "d" || find(authn.InQuery, "other") != "" {
			t.Error("the old one is found")
		}
	})
}
