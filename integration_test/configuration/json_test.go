package configuration

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// validate loads a JSON configuration without running it, away from the user's
// own files and log.
func validate(t *testing.T, config string) error {
	t.Helper()
	var parsed caddy.Config
	if err := json.Unmarshal([]byte(config), &parsed); err != nil {
		t.Fatalf("the test is wrong: %v\n%s", err, config)
	}
	parsed.Admin = &caddy.AdminConfig{Disabled: true}
	parsed.StorageRaw = json.RawMessage(fmt.Sprintf(`{"module": "file_system", "root": %q}`, t.TempDir()))
	parsed.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
	}}
	return caddy.Validate(&parsed)
}

// configOf is a configuration with schemes, given as JSON members, and the
// handlers of one route.
func configOf(auth, handlers string) string {
	return `{"apps": {"auth": {` + auth + `}, "http": {"servers": {"api": {"listen": [":8080"], "automatic_https": {"disable": true}, "routes": [
		{"handle": [` + handlers + `]}]}}}}}`
}

const (
	goodBearer = `"corp": {"scheme": "bearer", "audiences": ["https://api.example.com"], "key_files": ["testdata/files/idp.pem"]}`
	goodCert   = `"devices": {"scheme": "client_cert"}`
	digest     = `"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	bcryptHash = `"$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy"`
	anyGate    = `{"handler": "require_auth"}`
)

// schemeOf declares one scheme with more members.
func schemeOf(kind, members string) string {
	return `"schemes": {"one": {"scheme": "` + kind + `", ` + members + `}}`
}

func bearerOf(members string) string {
	return schemeOf("bearer", `"audiences": ["https://api.example.com"], "key_files": ["testdata/files/idp.pem"], `+members)
}

// gateOf is a gate with more members.
func gateOf(members string) string { return `{"handler": "require_auth", ` + members + `}` }

// TestRefusedJSON has what a Caddyfile would be refused for, as JSON.
func TestRefusedJSON(t *testing.T) {
	both := `"schemes": {` + goodBearer + `, ` + goodCert + `}`
	one := `"schemes": {` + goodBearer + `}`
	for name, test := range map[string]struct{ auth, handlers, says string }{
		"an unknown scheme name":                   {both, gateOf(`"schemes": ["crop"]`), `unknown scheme "crop"`},
		"a scheme named twice":                     {both, gateOf(`"schemes": ["corp", "corp"]`), "duplicate scheme"},
		"several schemes and none named":           {both, anyGate, "several schemes are declared"},
		"a gate without a scheme":                  {"", anyGate, "no authentication scheme is declared"},
		"an unknown name and none declared":        {"", gateOf(`"schemes": ["corp"]`), `unknown scheme "corp"`},
		"an in-place name that is declared":        {one, gateOf(`"inline": {"corp": {"scheme": "client_cert"}}`), "give one another name"},
		"a scheme of an unknown kind":              {schemeOf("kerberos", `"a": 1`), anyGate, "auth.schemes.kerberos"},
		"a scheme without a kind":                  {`"schemes": {"one": {"audiences": ["x"]}}`, anyGate, "scheme"},
		"no audience":                              {schemeOf("bearer", `"key_files": ["testdata/files/idp.pem"]`), anyGate, "no audience"},
		"an empty list of audiences":               {schemeOf("bearer", `"audiences": [], "key_files": ["testdata/files/idp.pem"]`), anyGate, "no audience"},
		"an empty audience":                        {schemeOf("bearer", `"audiences": [""], "key_files": ["testdata/files/idp.pem"]`), anyGate, "audience is empty"},
		"any audience beside others":               {schemeOf("bearer", `"audiences": ["*", "x"], "key_files": ["testdata/files/idp.pem"]`), anyGate, "write either"},
		"no keys":                                  {schemeOf("bearer", `"audiences": ["x"]`), anyGate, "no keys"},
		"a short HMAC secret":                      {schemeOf("bearer", `"audiences": ["x"], "hmac_secret": "s3cret"`), anyGate, "6 bytes, 32 are needed"},
		"an HMAC secret beside a key file":         {bearerOf(`"hmac_secret": "s3cret-s3cret-s3cret-s3cret-s3cret"`), anyGate, "declare two schemes"},
		"an HMAC secret beside a key set":          {schemeOf("bearer", `"audiences": ["x"], "jwks": "https://idp.example.com/jwks", "hmac_secret": "s3cret-s3cret-s3cret-s3cret-s3cret"`), anyGate, "declare two schemes"},
		"an algorithm that is none":                {bearerOf(`"algorithms": ["none"]`), anyGate, `algorithm "none"`},
		"an unknown algorithm":                     {bearerOf(`"algorithms": ["HS1"]`), anyGate, `algorithm "HS1"`},
		"an unknown profile":                       {bearerOf(`"profile": "jwt"`), anyGate, `profile "jwt"`},
		"a negative clock skew":                    {bearerOf(`"clock_skew": "-1s"`), anyGate, "clock_skew"},
		"an unknown mode of dpop":                  {bearerOf(`"dpop": "on"`), anyGate, `dpop "on"`},
		"a nonce without dpop":                     {bearerOf(`"dpop_nonce": true`), anyGate, "dpop_nonce needs"},
		"an unknown mode of certificate_bound":     {bearerOf(`"certificate_bound": "yes"`), anyGate, `certificate_bound "yes"`},
		"a token in an unknown location":           {bearerOf(`"token_from": [{"in": "body"}]`), anyGate, `unknown location "body"`},
		"a token in a field of another meaning":    {bearerOf(`"token_from": [{"in": "header", "name": "origin"}]`), anyGate, "another meaning"},
		"a token in a named subprotocol":           {bearerOf(`"token_from": [{"in": "websocket", "name": "x"}]`), anyGate, "websocket has no name"},
		"a place of tokens twice":                  {bearerOf(`"token_from": [{"in": "query", "name": "t"}, {"in": "query", "name": "t"}]`), anyGate, "duplicate"},
		"an issuer without https":                  {schemeOf("bearer", `"audiences": ["x"], "issuer": "http://idp.example.com"`), anyGate, "https://"},
		"an issuer with a query":                   {schemeOf("bearer", `"audiences": ["x"], "issuer": "https://idp.example.com?a=b"`), anyGate, "no query"},
		"an issuer with a fragment":                {schemeOf("bearer", `"audiences": ["x"], "issuer": "https://idp.example.com#a"`), anyGate, "fragment"},
		"a realm of other characters":              {bearerOf(`"realm": "Büro"`), anyGate, "printable ASCII"},
		"a realm like a parameter":                 {`"realm": "scope=admin", ` + one, anyGate, "scope="},
		"a password in the clear":                  {schemeOf("basic", `"users": [{"name": "alice", "hash": "s3cret"}]`), anyGate, "caddy hash-password"},
		"a hash by MD5":                            {schemeOf("basic", `"users": [{"name": "alice", "hash": "$apr1$s3cret00$HDjQ6kYhVYyzJCHMZP.1g0"}]`), anyGate, "caddy hash-password"},
		"a hash by SHA-1":                          {schemeOf("basic", `"users": [{"name": "alice", "hash": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}]`), anyGate, "caddy hash-password"},
		"a user without a hash":                    {schemeOf("basic", `"users": [{"name": "alice"}]`), anyGate, "caddy hash-password"},
		"name and hash swapped":                    {schemeOf("basic", `"users": [{"name": `+bcryptHash+`, "hash": "alice"}]`), anyGate, "name first"},
		"a user twice":                             {schemeOf("basic", `"users": [{"name": "alice", "hash": `+bcryptHash+`}, {"name": "alice", "hash": `+bcryptHash+`}]`), anyGate, "duplicate"},
		"no users":                                 {schemeOf("basic", `"users": []`), anyGate, "no users"},
		"an API key in the clear":                  {schemeOf("api_key", `"keys": [{"id": "a", "digest": "s3cret"}]`), anyGate, "not the key itself"},
		"an API key without an id":                 {schemeOf("api_key", `"keys": [{"digest": `+digest+`}]`), anyGate, "key id"},
		"no API keys":                              {schemeOf("api_key", `"keys": []`), anyGate, "no keys"},
		"an API key in Authorization":              {schemeOf("api_key", `"from": [{"in": "header", "name": "authorization"}], "keys": [{"id": "a", "digest": `+digest+`}]`), anyGate, "Authorization"},
		"an API key in a form":                     {schemeOf("api_key", `"from": [{"in": "form", "name": "key"}], "keys": [{"id": "a", "digest": `+digest+`}]`), anyGate, "form"},
		"a place of keys twice":                    {schemeOf("api_key", `"from": [{"in": "header", "name": "X-Key"}, {"in": "header", "name": "x-key"}], "keys": [{"id": "a", "digest": `+digest+`}]`), anyGate, "duplicate"},
		"a rule that matches everything":           {schemeOf("client_cert", `"rules": [{"scopes": ["admin"]}]`), anyGate, "every certificate"},
		"attempts below zero":                      {`"attempts": {"limit": -1}, ` + one, anyGate, "attempts -1"},
		"attempts off with limits":                 {`"attempts": {"off": true, "per_client": 50}, ` + one, anyGate, "takes no limits"},
		"attempts that are forgotten at once":      {`"attempts": {"forget": "1m"}, ` + one, anyGate, "forget 1m0s must be longer"},
		"an unknown member of attempts":            {`"attempts": {"failures": 5}, ` + one, anyGate, `"failures"`},
		"an unknown store":                         {`"store": {"store": "etcd"}, ` + one, anyGate, "auth.stores.etcd"},
		"a folder of pages that is not there":      {`"pages": "testdata/files/missing", ` + one, anyGate, "pages testdata/files/missing"},
		"a folder of pages of another kind":        {`"pages": "testdata/files", ` + one, anyGate, "pages testdata/files: "},
		"an implied scope without a holder":        {`"scope_implies": {"admin": []}, ` + one, anyGate, "scope_implies"},
		"an unknown member of the app":             {`"relam": "api", ` + one, anyGate, `"relam"`},
		"an unknown member of a bearer":            {bearerOf(`"audience": "x"`), anyGate, `"audience"`},
		"an unknown member of a basic":             {schemeOf("basic", `"user": "alice"`), anyGate, `"user"`},
		"an unknown member of a user":              {schemeOf("basic", `"users": [{"name": "alice", "hash": `+bcryptHash+`, "scope": "admin"}]`), anyGate, `"scope"`},
		"an unknown member of an api_key":          {schemeOf("api_key", `"key": []`), anyGate, `"key"`},
		"an unknown member of a key":               {schemeOf("api_key", `"keys": [{"id": "a", "digest": `+digest+`, "expire": "2099-01-01T00:00:00Z"}]`), anyGate, `"expire"`},
		"an unknown member of a client_cert":       {schemeOf("client_cert", `"trust": []`), anyGate, `"trust"`},
		"an unknown member of a gate":              {one, gateOf(`"scope": ["admin"]`), `"scope"`},
		"an unknown member of a requirement":       {one, gateOf(`"claims": [{"path": "a", "value": "b"}]`), `"value"`},
		"a claim without values":                   {one, gateOf(`"claims": [{"path": "a"}]`), "at least one value"},
		"a scope with a quote":                     {one, gateOf(`"scopes": ["a\""]`), "invalid scope"},
		"an empty scope":                           {one, gateOf(`"scopes": [""]`), "invalid scope"},
		"an empty role":                            {one, gateOf(`"roles": [""]`), "role or user is empty"},
		"an acr with a quote":                      {one, gateOf(`"acr": ["a\""]`), "acr"},
		"a negative max_age":                       {one, gateOf(`"max_age": "-1s"`), "max_age"},
		"a condition that cannot be parsed":        {one, gateOf(`"if": "user =="`), "if"},
		"an unknown word to hide":                  {one, gateOf(`"hide": "everything"`), "hide"},
		"an unknown word to end_streams":           {one, gateOf(`"end_streams": "some"`), "end_streams"},
		"an unknown format":                        {one, gateOf(`"error_format": "yaml"`), "yaml"},
		"a login_url of a script":                  {one, gateOf(`"login_url": "javascript:alert(1)"`), "login_url"},
		"a login_url of another host":              {one, gateOf(`"login_url": "//evil.example"`), "login_url"},
		"a forward of a bad name":                  {one, gateOf(`"forward": {"X User": "a"}`), "invalid name of a header field"},
		"a forward of Connection":                  {one, gateOf(`"forward": {"Connection": "a"}`), "frames the request"},
		"a signed field without an audience":       {one, gateOf(`"forward_signed": {"X-Identity": {}}`), "write an `audience`"},
		"a signed field of nothing":                {one, gateOf(`"forward_signed": {"X-Identity": null}`), "write an `audience`"},
		"a signed field with an empty audience":    {one, gateOf(`"forward_signed": {"X-Identity": {"audiences": [""]}}`), "is empty"},
		"a signed field that is Authorization":     {one, gateOf(`"forward_signed": {"Authorization": {"audiences": ["a"]}}`), "look for a credential"},
		"a signed field of a life without an end":  {one, gateOf(`"forward_signed": {"X-Identity": {"audiences": ["a"], "ttl": -1}}`), "write a duration"},
		"two forwards of one field":                {one, gateOf(`"forward": {"X-User": "a", "X_User": "b"}`), "one field"},
		"a resource with a fragment":               {one, gateOf(`"protected_resource": {"resource": "https://api.example.com/#a"}`), "fragment"},
		"a resource without a URL":                 {one, gateOf(`"protected_resource": {}`), "URL"},
		"an unknown member of a resource":          {one, gateOf(`"protected_resource": {"url": "https://api.example.com"}`), `"url"`},
		"a document of no resource":                {one, `{"handler": "protected_resource"}`, "without a resource"},
		"auth_cors of any origin with credentials": {one, `{"handler": "auth_cors", "origins": ["*"], "credentials": true}`, "with credentials"},
		"auth_cors without an origin":              {one, `{"handler": "auth_cors"}`, "without an origin"},
		"an unknown member of auth_cors":           {one, `{"handler": "auth_cors", "origins": ["https://web.example"], "max-age": 1}`, `"max-age"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate(t, configOf(test.auth, test.handlers))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q is not in: %v", test.says, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
	t.Run("what they are made of is accepted", func(t *testing.T) {
		for _, config := range []string{
			configOf(one, anyGate), configOf(both, gateOf(`"schemes": ["corp"]`)),
			configOf(bearerOf(`"clock_skew": "1m"`), gateOf(`"max_age": "5m", "scopes": ["read"], "if": "user == \"alice\""`)),
			configOf(schemeOf("basic", `"users": [{"name": "alice", "hash": `+bcryptHash+`}]`), anyGate),
			configOf(schemeOf("api_key", `"keys": [{"id": "a", "digest": `+digest+`}]`), anyGate),
			configOf("", gateOf(`"inline": {"here": {"scheme": "client_cert"}}`)),
			configOf(one, `{"handler": "auth_cors", "origins": ["*"]}`),
			configOf(`"attempts": {"limit": 3, "per_client": 50, "per_account": 60, "wait": "10s", "max_wait": "5m", "forget": "30m"}, `+one, anyGate),
		} {
			if err := validate(t, config); err != nil {
				t.Errorf("%v\n%s", err, config)
			}
		}
	})
}

// TestExampleAsJSON has the example three times: as it is, adapted, and written by hand
// in JSON.
func TestExampleAsJSON(t *testing.T) {
	example := harness.WithQuickHash(harness.ReadFile(t, "../../Caddyfile.example"))
	byHand := harness.WithQuickHash(harness.ReadFile(t, "testdata/by_hand.json"))
	const demonstration = "demonstration-only-secret-of-32-bytes-or-more"
	token := func(scope string) harness.Option {
		return harness.Bearer(hs256(t, demonstration, harness.Claims{"scope": scope}))
	}
	origin := harness.Header("Origin", "https://web.example")
	requests := map[string]struct {
		path    string
		options []harness.Option
	}{
		"nobody":              {"/me", nil},
		"nobody of an origin": {"/me", []harness.Option{origin}},
		"a token":             {"/me", []harness.Option{token("read"), harness.Header("X-User", "mallory")}},
		"a bad token":         {"/me", []harness.Option{harness.Bearer("x")}},
		"too little":          {"/admin/users", []harness.Option{token("read")}},
		"enough":              {"/admin/users", []harness.Option{token("admin")}},
		"a password":          {"/basic", []harness.Option{harness.Basic("alice", "correct horse")}},
		"no password":         {"/basic", nil},
		"a wrong password":    {"/basic", []harness.Option{harness.Basic("alice", "x")}},
		"a key":               {"/data", []harness.Option{harness.Header("X-Api-Key", "demo-key-4f1c2a9be8d7")}},
		"a key in the query":  {"/data?api_key=demo-key-4f1c2a9be8d7", nil},
		"a wrong key":         {"/data", []harness.Option{harness.Header("X-Api-Key", "x")}},
		"two keys":            {"/data?api_key=y", []harness.Option{harness.Header("X-Api-Key", "x")}},
		"any of three":        {"/mixed", nil},
		"hidden":              {"/hidden", []harness.Option{token("read")}},
		"hidden, nobody":      {"/hidden", nil},
		"open":                {"/", nil},
		"nothing there":       {"/nothing", nil},
	}
	send := func(s *harness.Server) map[string]string {
		answers := make(map[string]string)
		for name, request := range requests {
			r := s.Get(request.path, request.options...)
			r.Header.Del("Date")
			r.Header.Del("X-Trace-Id")
			answers[name] = fmt.Sprintf("%d %q\n%v\n%s", r.Status, r.Challenges(), r.Header, traceID.ReplaceAllString(r.Body, ""))
		}
		return answers
	}
	want := send(harness.Start(t, example))
	for name, config := range map[string]string{"adapted": adapt(t, example), "by hand": byHand} {
		t.Run(name, func(t *testing.T) {
			got := send(harness.StartJSON(t, config))
			for _, request := range slices.Sorted(maps.Keys(want)) {
				if got[request] != want[request] {
					t.Errorf("%s\nJSON %s\nCaddyfile %s", request, got[request], want[request])
				}
			}
		})
	}
	t.Run("the requests are of all kinds", func(t *testing.T) {
		for request, begin := range map[string]string{
			"a token": "200", "two keys": "400", "nobody": "401", "too little": "403", "hidden": "404", "a password": "200", "a key": "200", "hidden, nobody": "401",
		} {
			if !strings.HasPrefix(want[request], begin+" ") {
				t.Errorf("%s: %s", request, want[request])
			}
		}
	})
}

var traceID = regexp.MustCompile(`"trace_id":"[^"]*"`)
