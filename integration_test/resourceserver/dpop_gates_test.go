package resourceserver

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	siteGate     = "require_auth corp"
	resourceGate = "require_auth corp {\n\t\t\tprotected_resource https://api.example.com/mcp\n\t\t}"
	otherScheme  = "require_auth twin"
)

// gatesConfig has the gates in the order of a request, for a site of any host and
// for one with a name.
func gatesConfig(gates ...string) string {
	scheme := func(name string) string {
		return "bearer " + name + " {" + harness.BearerLines + "\n\t\t\taudience https://api.example.com/mcp\n\t\t\tdpop required\n\t\t}\n"
	}
	order := "\troute {\n\t\t" + strings.Join(gates, "\n\t\t") + "\n\t\trespond ok\n\t}\n"
	return "{\n\tauto_https off\n\tauth {\n\t\trealm api\n" + scheme("corp") + scheme("twin") + "\t}\n}\n" +
		"http://:8080 {\n" + order + "}\nhttp://localhost:8081 {\n" + order + "}\n"
}

// refuseProof wants a proof to be refused.
func refuseProof(t *testing.T, r *harness.Response) {
	t.Helper()
	if r.Status != 401 || !strings.Contains(r.Body, `"invalid_dpop_proof"`) {
		t.Errorf("status %d, body %s", r.Status, r.Body)
	}
}

// TestDPoPOfSeveralGates has gates of a site around the gate of a resource, whose
// URL says what proofs are made for.
func TestDPoPOfSeveralGates(t *testing.T) {
	const url = "https://api.example.com/mcp"
	for name, gates := range map[string][]string{
		"alone":                                {resourceGate},
		"behind a gate of the site":            {siteGate, resourceGate},
		"before a gate of the site":            {resourceGate, siteGate},
		"between two":                          {siteGate, resourceGate, siteGate},
		"behind another scheme of the issuer":  {otherScheme, resourceGate},
		"before another scheme of the issuer":  {resourceGate, otherScheme},
		"twice, with both schemes on one gate": {resourceGate, "require_auth twin corp", resourceGate},
	} {
		s := harness.Start(t, gatesConfig(gates...))
		t.Run("R9449-6: the gate of a resource "+name+" takes a proof for the resource, once", func(t *testing.T) {
			h := newHolder(t)
			proof := h.proof(t, "GET", url)
			s.Get("/mcp", harness.Host("api.example.com"), h.withToken(), proof).Want(200, "")
			refuseProof(t, s.Get("/mcp", harness.Host("api.example.com"), h.withToken(), proof))
		})
		t.Run("R9449-6: the gate of a resource "+name+" takes it below a proxy that changes Host", func(t *testing.T) {
			h := newHolder(t)
			s.Do("GET", s.SecondURL("/mcp"), h.withToken(), h.proof(t, "GET", url)).Want(200, "")
		})
		t.Run("R9449-6: the gate of a resource "+name+" refuses a proof for another host", func(t *testing.T) {
			h := newHolder(t)
			refuseProof(t, s.Get("/mcp", harness.Host("elsewhere.example"), h.withToken(), h.proof(t, "GET", "http://elsewhere.example/mcp")))
		})
	}
	t.Run("R9449-6: a path outside the resource keeps its own address", func(t *testing.T) {
		s := harness.Start(t, gatesConfig("@mcp path /mcp*", siteGate, strings.Replace(resourceGate, "require_auth", "require_auth @mcp", 1)))
		for _, path := range []string{"/", "/mc", "/other/mcp"} {
			h := newHolder(t)
			refuseProof(t, s.Get(path, harness.Host("api.example.com"), h.withToken(), h.proof(t, "GET", "https://api.example.com"+path)))
			s.Get(path, harness.Host("api.example.com"), h.withToken(), h.proof(t, "GET", "http://api.example.com"+path)).Want(200, "")
		}
	})
	t.Run("R9449-6: the resource of one site says nothing of another", func(t *testing.T) {
		s := harness.Start(t, strings.Replace(gatesConfig(siteGate), "http://:8080 {\n", "http://localhost:8080 {\n"+"\t"+resourceGate+"\n", 1))
		h := newHolder(t)
		refuseProof(t, s.Do("GET", s.SecondURL("/mcp"), h.withToken(), h.proof(t, "GET", url)))
		s.Do("GET", s.SecondURL("/mcp"), h.withToken(), h.proof(t, "GET", s.SecondURL("/mcp"))).Want(200, "")
	})
	t.Run("R9449-10: a handler between gates cannot take the proof away", func(t *testing.T) {
		s := harness.Start(t, gatesConfig(siteGate, "request_header -DPoP", siteGate))
		h := newHolder(t)
		refuseProof(t, s.Get("/", h.withToken(), h.proof(t, "GET", s.URL("/"))))
	})
}

// TestDPoPBesideQuery has a bound token that is in the query as well.
func TestDPoPBesideQuery(t *testing.T) {
	s := harness.Start(t, "{\nauth {\nbearer corp {"+harness.BearerLines+"\ndpop required\ntoken_from header\ntoken_from query access_token\n}\n}\n}\n"+
		"http://localhost:8080 {\nrequire_auth\nrespond \"query {query}\"\n}")
	t.Run("R6750-4: a token in the query does not go on beside the same one after DPoP", func(t *testing.T) {
		h := newHolder(t)
		r := s.Get("/?a=1&access_token="+h.token, h.withToken(), h.proof(t, "GET", s.URL("/")))
		if r.Status != 200 || r.Body != "query a=1" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
