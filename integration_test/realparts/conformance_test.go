//go:build realparts

package realparts

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// counts are the checks of a scenario.
type counts struct{ passed, failed int }

var scenario = regexp.MustCompile(`(?m)^\S+ ([a-z0-9-]+): (\d+) passed, (\d+) failed`)

// scenarios are how many of a revision the suite has at least.
var scenarios = map[string]int{"2025-03-26": 1, "2025-06-18": 27, "2025-11-25": 33, "2026-07-28": 40}

// conform runs the conformance suite against a server.
func conform(t *testing.T, server, revision string) map[string]counts {
	t.Helper()
	suite := exec.Command("node", "conformance.mjs", "server", "--url", server, "--suite", "all", "--spec-version", revision, "-o", t.TempDir())
	output, err := suite.CombinedOutput() // an error says that a check failed
	all := make(map[string]counts)
	for _, row := range scenario.FindAllStringSubmatch(string(output), -1) {
		passed, _ := strconv.Atoi(row[2])
		failed, _ := strconv.Atoi(row[3])
		all[row[1]] = counts{passed, failed}
	}
	if len(all) < scenarios[revision] {
		t.Fatalf("%v\n%s", err, output)
	}
	return all
}

// withToken is a client's side of a gate: a proxy that adds a token. The target is set
// later.
func withToken(t *testing.T, target *atomic.Pointer[url.URL], token string) (address string) {
	t.Helper()
	proxy := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target.Load())
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// TestConformance compares what the public suite says of a server and of the same
// server behind gates. The server lacks some of what the suite asks for.
func TestConformance(t *testing.T) {
	port := freePort(t)
	run(t, "conformance-server.mjs", "PORT="+port)
	target := new(atomic.Pointer[url.URL])
	gate := withToken(t, target, harness.Token(t, harness.Claims{"scope": "mcp:use mcp:tools mcp:prompts mcp:resources"}))
	s := harness.Start(t, `
{
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	handle_path /plain/* {
		require_auth {
			scope mcp:use
			mcp {
				origin `+gate+`
			}
		}
		reverse_proxy 127.0.0.1:`+port+`
	}
	handle_path /rules/* {
		require_auth {
			scope mcp:use
			mcp {
				origin   `+gate+`
				tool     test_* mcp:tools
				prompt   test_* mcp:prompts
				resource test://* mcp:resources
				inspect  1MiB
				list     filtered
			}
		}
		reverse_proxy 127.0.0.1:`+port+`
	}
}
`)
	target.Store(&url.URL{Scheme: "http", Host: s.Addr()})
	for revision := range scenarios {
		path := "/mcp"
		if revision == "2026-07-28" {
			path = "/stateless"
		}
		direct := conform(t, "http://localhost:"+port+path, revision)
		for _, gated := range []string{"/plain", "/rules"} {
			t.Run("MCP-11: "+revision+" at "+gated, func(t *testing.T) {
				behind := conform(t, gate+gated+path, revision)
				var again map[string]counts // the suite has time limits of its own
				for name, want := range direct {
					got := behind[name]
					// The gate refuses pages of other sites, which the server does not.
					if name == "dns-rebinding-protection" {
						want = counts{want.passed + want.failed, 0}
					}
					// For an unknown revision the gate names those that it can read, which may
					// be more than the server has.
					if name == "server-stateless" && gated == "/rules" {
						want = counts{want.passed - 1, want.failed + 1}
					}
					if got != want && again == nil {
						again = conform(t, gate+gated+path, revision)
					}
					if got != want && again[name] != want {
						t.Errorf("%s: %+v, without the gate %+v", name, got, want)
					}
				}
			})
		}
	}
}
