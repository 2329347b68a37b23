package facade

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/page"
)

func TestDocumentedClient(t *testing.T) {
	pages, err := page.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &Facade{Provider: "entra", ClientID: "the-client"}
	if err := f.Open("https://mcp.example/mcp", "/mcp", idp.Provider{Issuer: "https://idp.example", Client: idp.NewClient()}, pages, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	f.documents = newDocuments(&http.Client{Transport: toServer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"client_id": "` + documentID + `", "redirect_uris": ["https://client.example/cb", "http://localhost/cb"]}`))
	})})
	for uri, want := range map[string]int{
		"https://client.example/cb": http.StatusOK, "http://localhost:4711/cb": http.StatusOK,
		"https://evil.example/cb": http.StatusBadRequest, "http://127.0.0.1/cb": http.StatusBadRequest,
	} {
		t.Run("FACADE-9: "+uri, func(t *testing.T) {
			query := url.Values{
				"client_id": {documentID}, "redirect_uri": {uri}, "response_type": {"code"},
				"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"},
			}
			recorder := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, EndpointPath+"/authorize/mcp?"+query.Encode(), nil)
			Paths("/mcp")[EndpointPath+"/authorize/mcp"].Serve(f, recorder, r)
			if recorder.Code != want {
				t.Fatalf("%d %s", recorder.Code, recorder.Body)
			}
			if want != http.StatusOK {
				return
			}
			if body := recorder.Body.String(); !strings.Contains(body, "<strong>client.example</strong>") || !strings.Contains(body, uri) {
				t.Errorf("FACADE-5: the page does not show the client\n%s", body)
			}
			if cookie := recorder.Header().Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-auth-facade=") || !strings.Contains(cookie, "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax") {
				t.Error(cookie)
			}
		})
	}
}
