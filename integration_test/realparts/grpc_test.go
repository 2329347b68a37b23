//go:build realparts

package realparts

import (
	"reflect"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestGRPC has grpc-js at a gRPC site. A client that finds no grpc-status takes one for the
// HTTP status, such as UNAVAILABLE for 429, and reads no message.
func TestGRPC(t *testing.T) {
	port := freePort(t)
	run(t, "grpc-server.mjs", "PORT="+port)
	s := harness.Start(t, `{
	servers {
		protocols h1 h2c
	}
	auth {
		attempts 1 {
			per_client 1
		}
		bearer corp {`+harness.BearerLines+`}
		api_key keys {
			from authorization Bearer
			key robot `+digestOf([]byte(registryKey))+`
		}
	}
}
http://localhost:8080 {
	require_auth /files.Files/* corp {
		strip_credentials
	}
	require_auth /files.Files/All corp {
		scope files:all
	}
	require_auth /other.Files/* keys
	reverse_proxy h2c://127.0.0.1:`+port+`
}
`)
	token, wider := harness.Token(t), harness.Token(t, harness.Claims{"scope": "files:all"})
	type result struct {
		Messages        []string
		Status, Details string
	}
	none := []string{}
	calls := []struct {
		name, method, token string
		want                result
	}{
		{"a call", "/files.Files/One", token, result{[]string{"one /a"}, "OK", ""}},
		{"a stream", "/files.Files/All", wider, result{[]string{"first /a", "second /a"}, "OK", ""}},
		{"a call without a token", "/files.Files/One", "", result{none, "UNAUTHENTICATED", "Not authenticated"}},
		{"a call with a wrong token", "/files.Files/One", "nonsense", result{none, "UNAUTHENTICATED", "The access token is invalid"}},
		{"a stream without the scope", "/files.Files/All", token, result{none, "PERMISSION_DENIED", "Not enough permissions"}},
		{"a wrong key", "/other.Files/One", "wrong", result{none, "UNAUTHENTICATED", "The credentials are invalid"}},
		{"a wrong key too many", "/other.Files/One", "wrong", result{none, "RESOURCE_EXHAUSTED", "Too many failed attempts"}},
	}
	arguments := []string{"grpc-client.mjs", s.Addr()}
	for _, call := range calls {
		arguments = append(arguments, call.method+"="+call.token)
	}
	var got []result
	script(t, &got, arguments...)
	for i, call := range calls {
		t.Run("R9110-12: grpc-js sends "+call.name, func(t *testing.T) {
			if !reflect.DeepEqual(got[i], call.want) {
				t.Errorf("%+v", got[i])
			}
		})
	}
}
