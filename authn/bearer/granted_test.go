package bearer

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestSharing(t *testing.T) {
	shared := new(sharing)
	one := granted{client: "web", issuer: "i", scopes: []string{"read", "write"}, roles: []string{"ops"}}
	first := shared.share(&one)
	if again := shared.share(first.detached()); again != first || !reflect.DeepEqual(*first, one) {
		t.Errorf("%+v and %+v", first, again)
	}
	for name, other := range map[string]granted{
		"another client":     {client: "app", issuer: "i", scopes: one.scopes, roles: one.roles},
		"a role for a scope": {client: "web", issuer: "i", scopes: []string{"read"}, roles: []string{"write", "ops"}},
		"one scope of both":  {client: "web", issuer: "i", scopes: []string{"readwrite"}, roles: one.roles},
		"nothing":            {},
	} {
		if got := shared.share(&other); got == first || !reflect.DeepEqual(*got, other) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if big := (granted{client: strings.Repeat("x", maxGrant)}); !shared.share(&big).own || shared.count.Load() != 5 {
		t.Error("a large one is shared")
	}
	for i := range maxGrants + 10 {
		shared.share(&granted{client: fmt.Sprint(i)})
	}
	if got := shared.count.Load(); got != maxGrants {
		t.Errorf("%d are shared", got)
	}
	if shared.share(&one) != first {
		t.Error("when there is no room for more, what is there is not found")
	}
}
