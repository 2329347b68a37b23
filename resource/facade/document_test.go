package facade

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

const documentID = "https://client.example/oauth/c.json"

// toServer sends every request to a handler.
type toServer http.HandlerFunc

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	s(recorder, r)
	return recorder.Result(), nil
}

func TestDocuments(t *testing.T) {
	const good = `{"client_id": "` + documentID + `", "redirect_uris": ["https://client.example/cb"]`
	for name, test := range map[string]struct {
		status     int
		media, doc string
		want       bool
	}{
		"a document":          {200, "application/json; charset=utf-8", good + `}`, true},
		"a public client":     {200, "application/json", good + `, "token_endpoint_auth_method": "none"}`, true},
		"another media type":  {200, "application/cimd+json", good + `}`, true},
		"a client with a key": {200, "application/json", good + `, "token_endpoint_auth_method": "private_key_jwt"}`, false},
		"a secret":            {200, "application/json", good + `, "client_secret": "x"}`, false},
		"of another client":   {200, "application/json", `{"client_id": "https://client.example/x", "redirect_uris": ["https://client.example/cb"]}`, false},
		"no redirect URI":     {200, "application/json", `{"client_id": "` + documentID + `"}`, false},
		"HTML":                {200, "text/html", good + `}`, false},
		"a member twice":      {200, "application/json", good + `, "redirect_uris": []}`, false},
		"not found":           {404, "application/json", good + `}`, false},
		"too large":           {200, "application/json", good + `, "x": "` + strings.Repeat("x", maxDocument) + `"}`, false},
		"another status":      {201, "application/json", good + `}`, false},
		"a redirect":          {302, "application/json", good + `}`, false},
	} {
		t.Run("FACADE-9: "+name, func(t *testing.T) {
			var fetches atomic.Int32
			client := idp.NewPublicClient()
			client.Transport = toServer(func(w http.ResponseWriter, _ *http.Request) {
				fetches.Add(1)
				w.Header().Set("Content-Type", test.media)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.doc))
			})
			documents := newDocuments(client)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for range 3 {
				document, err := documents.find(r, documentID)
				if (err == nil) != test.want || test.want && document.RedirectURIs[0] != "https://client.example/cb" {
					t.Errorf("%v %v", document, err)
				}
			}
			if fetches.Load() != 1 {
				t.Errorf("%d fetches", fetches.Load())
			}
		})
	}
	t.Run("FACADE-9: fetches at once are bounded", func(t *testing.T) {
		documents := newDocuments(idp.NewPublicClient())
		for documents.fetches.TryAcquire("") {
			continue
		}
		if _, err := documents.find(httptest.NewRequest(http.MethodGet, "/", nil), documentID); !errors.Is(err, errBusy) {
			t.Error(err)
		}
	})
}

func TestDocumentURLs(t *testing.T) {
	for id, want := range map[string]bool{
		documentID:                                              true,
		"https://client.example:8443/c":                         true,
		"https://client.example":                                false,
		"https://client.example/":                               false,
		"http://client.example/c":                               false,
		"https://u@client.example/c":                            false,
		"https://client.example/c#f":                            false,
		"https://client.example/c?q":                            false,
		"https://client.example/../c":                           false,
		"https://client.example/a/./c":                          false,
		"https://client.example/%2e%2e/c":                       false,
		"https://10.0.0.1/c":                                    false,
		"https://[::1]/c":                                       false,
		"https://localhost/c":                                   false,
		"https://client.example./c":                             false,
		"https://CLIENT.example/c":                              false,
		`https://client.example\c`:                              false,
		"https://client.example/" + strings.Repeat("a", maxURI): false,
	} {
		t.Run("FACADE-9: "+id[:min(len(id), 60)], func(t *testing.T) {
			if isDocumentURL(id) != want {
				t.Errorf("want %t", want)
			}
		})
	}
}
