package resourceserver

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	theClient = "11111111-provider-client"
	theSecret = "the-secret-of-the-one-client"
)

// fakeProvider is a provider that registers no client. It knows one, with one redirect URI.
type fakeProvider struct {
	*httptest.Server

	t          *testing.T
	keys       *harness.Provider
	callback   string // the redirect URI that is registered
	noMetadata bool
	ignorePKCE bool
	opaque     bool // tokens, and errors with status 200, as GitHub has
	refuses    []string
	scopes     []string // that are known
	broken     atomic.Pointer[http.HandlerFunc]

	mutex         sync.Mutex
	codes         map[string]url.Values // the authorization request of each code
	refreshes     map[string]bool
	tokenRequests []url.Values // forms of the token endpoint
}

func startFakeProvider(t *testing.T, change func(*fakeProvider)) *fakeProvider {
	t.Helper()
	p := &fakeProvider{t: t, keys: harness.StartProvider(t), codes: make(map[string]url.Values), refreshes: make(map[string]bool)}
	if change != nil {
		change(p)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", p.metadata)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /introspect", p.introspect)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *fakeProvider) metadata(w http.ResponseWriter, r *http.Request) {
	if p.noMetadata {
		http.NotFound(w, r)
		return
	}
	p.json(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "jwks_uri": p.keys.KeySet(), "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
	})
}

func (p *fakeProvider) json(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		p.t.Error(err)
	}
}

// refusal is the error for a request that the provider refuses, as Entra puts it.
func (p *fakeProvider) refusal(form url.Values) (code, description string) {
	if slices.ContainsFunc(p.refuses, form.Has) {
		return "invalid_target", "AADSTS9010010: The resource parameter provided in the request doesn't match with the requested scopes."
	}
	for scope := range strings.FieldsSeq(form.Get("scope")) {
		if p.scopes != nil && !slices.Contains(p.scopes, scope) {
			return "invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
		}
	}
	return "", ""
}

// authorize signs the user in at once, as a provider does that remembers a consent.
func (p *fakeProvider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != theClient || query.Get("redirect_uri") != p.callback || query.Get("response_type") != "code" {
		http.Error(w, "AADSTS50011: the redirect URI is not registered", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {query.Get("state")}}
	if code, description := p.refusal(query); code != "" {
		answer.Set("error", code)
		answer.Set("error_description", description)
	} else {
		p.mutex.Lock()
		code := "code of the provider " + query.Get("state")[:8]
		p.codes[code] = query
		p.mutex.Unlock()
		answer.Set("code", code)
	}
	http.Redirect(w, r, p.callback+"?"+answer.Encode(), http.StatusFound)
}

func (p *fakeProvider) token(w http.ResponseWriter, r *http.Request) {
	if broken := p.broken.Load(); broken != nil {
		(*broken)(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	form := r.PostForm
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.tokenRequests = append(p.tokenRequests, form)
	if form.Get("client_id") != theClient || form.Get("client_secret") != theSecret {
		p.json(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	if code, description := p.refusal(form); code != "" {
		p.json(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
		return
	}
	if !p.redeem(form) {
		if p.opaque {
			p.json(w, http.StatusOK, map[string]string{"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."})
			return
		}
		p.json(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "AADSTS70008: The code has expired."})
		return
	}
	p.refreshes["refresh-1"] = true
	p.json(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": p.accessToken(), "refresh_token": "refresh-1", "expires_in": 3600})
}

// redeem uses a grant up.
func (p *fakeProvider) redeem(form url.Values) bool {
	if form.Get("grant_type") == "refresh_token" {
		return p.refreshes[form.Get("refresh_token")]
	}
	login, found := p.codes[form.Get("code")]
	delete(p.codes, form.Get("code"))
	return found && form.Get("redirect_uri") == p.callback && (p.ignorePKCE || challengeOf(form.Get("code_verifier")) == login.Get("code_challenge"))
}

func (p *fakeProvider) accessToken() string {
	if p.opaque {
		return "gho_opaque"
	}
	return p.keys.Token(harness.Claims{"iss": p.URL, "aud": "api://mcp", "scp": "mcp:use"})
}

func (p *fakeProvider) introspect(w http.ResponseWriter, r *http.Request) {
	active := r.FormValue("token") == "gho_opaque"
	p.json(w, http.StatusOK, map[string]any{"active": active, "aud": "api://mcp", "sub": "alice", "scope": "mcp:use"})
}

// lastTokenRequest is the last form of the token endpoint.
func (p *fakeProvider) lastTokenRequest() url.Values {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if len(p.tokenRequests) == 0 {
		return nil
	}
	return p.tokenRequests[len(p.tokenRequests)-1]
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
