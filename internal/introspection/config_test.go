package introspection

import (
	"crypto/elliptic"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	const address = "https://id.example/introspect"
	key := pemOf(t, edKey(t))
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string // in the error; empty for none
	}{
		{"R7662-1: a secret is enough", func(*Config) {}, ""},
		{"R7662-1: no call without a client id", func(c *Config) { c.ClientID = "" }, "client ID"},
		{"R7662-1: no call without a secret", func(c *Config) { c.ClientSecret = "" }, "needs a client secret"},
		{"R7662-1: nor in a form", func(c *Config) { c.ClientSecret, c.Authentication = "", ClientSecretPost }, "needs a client secret"},
		{"R7662-1: nor without a key", func(c *Config) { c.Authentication = PrivateKeyJWT }, "needs a private key"},
		{"R7662-1: a key is enough", func(c *Config) {
			c.ClientSecret, c.SigningKey, c.Authentication = "", key, PrivateKeyJWT
		}, ""},
		{"R7662-1: no other method", func(c *Config) { c.Authentication = "none" }, "invalid client authentication"},
		{"R7662-1: https", func(c *Config) { c.Endpoint = "http://id.example/introspect" }, "https://"},
		{"R7662-1: http on this machine", func(c *Config) { c.Endpoint = "http://127.0.0.1:9000/introspect" }, ""},
		{"an endpoint or an issuer is given", func(c *Config) { c.Endpoint = "" }, "needs a URL"},
		{"an issuer has https too", func(c *Config) { c.Endpoint, c.Issuer = "", "http://id.example" }, "https://"},
		{"an issuer is enough", func(c *Config) { c.Endpoint, c.Issuer = "", "https://id.example" }, ""},
		{"no time is negative", func(c *Config) { c.Cache = -time.Second }, "negative"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := config(address)
			test.change(&config)
			client, err := New(config)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if (client == nil) != (err != nil) {
				t.Errorf("a client beside the error %v", err)
			}
		})
	}
}

func TestSigningKey(t *testing.T) {
	public := strings.ReplaceAll(string(pemOf(t, edKey(t))), "PRIVATE", "PUBLIC")
	parameters := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 1, 42}}))
	for name, test := range map[string]struct{ key, want string }{
		"garbage":                  {"hunter2", "neither PEM nor JWK"},
		"no private block":         {public, "neither PEM nor JWK"},
		"encrypted":                {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "encrypted"},
		"broken block":             {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"},
		"broken JWK":               {`{"kty":"EC","d":"hunter2"}`, "invalid JWK"},
		"public JWK":               {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "not a private key"},
		"secret JWK":               {`{"kty":"oct","k":"aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg"}`, "not a private key"},
		"JWK for encryption":       {edJWK(`"use":"enc"`), "use"},
		"JWK of another algorithm": {edJWK(`"alg":"RS256"`), "alg"},
		"JWK for signing":          {edJWK(`"use":"sig","key_ops":["sign"],"alg":"EdDSA"`), ""},
		"text before the block":    {parameters + string(pemOf(t, ecKey(t, elliptic.P256()))), ""},
		"a curve that is unusual":  {string(pemOf(t, ecKey(t, elliptic.P224()))), "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			config := config("https://id.example/introspect")
			config.Authentication, config.SigningKey = PrivateKeyJWT, []byte(test.key)
			_, err := New(config)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}

// edJWK is the private key of RFC 8037 Appendix A.1 with more members.
func edJWK(members string) string {
	return `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",` +
		`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` + members + `}`
}
