package introspection

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

func TestCall(t *testing.T) {
	t.Run("R7662-1: the token is posted in a form, with a hint", func(t *testing.T) {
		server := newEndpoint(t, says(active))
		expect(t, newClientOf(t, config(server.URL+"/introspect")), "opaque+token/=", true, false)
		expectCalls(t, server, 1)
		got := server.calls()[0]
		if got.method != http.MethodPost || got.uri != "/introspect" {
			t.Errorf("%s %s", got.method, got.uri)
		}
		if got.form.Get("token") != "opaque+token/=" || got.form.Get("token_type_hint") != "access_token" || len(got.form) != 2 {
			t.Errorf("form %v", got.form)
		}
		if got.header.Get("Accept") != "application/json" || got.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("header %v", got.header)
		}
		if _, sent := got.header["Idempotency-Key"]; sent {
			t.Error("Idempotency-Key was sent")
		}
	})
	for _, code := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect} {
		t.Run("R7662-1: a redirect is not followed, "+http.StatusText(code), func(t *testing.T) {
			server := newEndpoint(t, nil)
			server.answer(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", code) })
			expectUnavailable(t, newClientOf(t, config(server.URL)), "token")
			expectCalls(t, server, 1)
		})
	}
	t.Run("R7662-1: ID and secret are encoded before they are joined", func(t *testing.T) {
		server := newEndpoint(t, says(active))
		config := config(server.URL)
		config.ClientID, config.ClientSecret = "https://gate way:1", "a:b+c%é"
		expect(t, newClientOf(t, config), "token", true, false)
		field, _ := strings.CutPrefix(server.calls()[0].header.Get("Authorization"), "Basic ")
		pair, err := base64.StdEncoding.DecodeString(field)
		if want := "https%3A%2F%2Fgate+way%3A1:a%3Ab%2Bc%25%C3%A9"; err != nil || string(pair) != want {
			t.Errorf("got %q, want %q", pair, want)
		}
	})
	t.Run("R7662-1: client_secret_post", func(t *testing.T) {
		server := newEndpoint(t, says(active))
		config := config(server.URL)
		config.Authentication = ClientSecretPost
		expect(t, newClientOf(t, config), "token", true, false)
		got := server.calls()[0]
		if got.form.Get("client_id") != "gateway" || got.form.Get("client_secret") != config.ClientSecret || got.header.Get("Authorization") != "" {
			t.Errorf("form %v, header %v", got.form, got.header)
		}
	})
	t.Run("AVAIL-1: a connection that was closed while idle is not a failure", func(t *testing.T) {
		config := config("http://" + forgetfulServer(t))
		client := newClientOf(t, config)
		expect(t, client, "first", true, false)
		expect(t, client, "second", true, false)
	})
}

// forgetfulServer answers one request on each connection and closes it when the next
// one arrives. So does a server whose idle timeout ends at that moment.
func forgetfulServer(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				buffer := make([]byte, 4096)
				_, _ = connection.Read(buffer)
				_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"active\":true}")
				_, _ = connection.Read(buffer)
			}()
		}
	}()
	return listener.Addr().String()
}

func TestPrivateKeyJWT(t *testing.T) {
	withID, err := jwk.FromRaw(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	_ = withID.Set(jwk.KeyIDKey, "key-1")
	_ = withID.Set(jwk.AlgorithmKey, jwa.PS256)
	p256, p384, p521, ed := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521()), edKey(t)
	for _, test := range []struct {
		algorithm jwa.SignatureAlgorithm
		key       []byte
		public    crypto.PublicKey
		id        string
	}{
		{jwa.RS256, pemOf(t, rsaKey()), rsaKey().Public(), ""},
		{jwa.PS256, toJSON(t, withID), rsaKey().Public(), "key-1"},
		{jwa.ES256, pemOf(t, p256), p256.Public(), ""},
		{jwa.ES384, pemOf(t, p384), p384.Public(), ""},
		{jwa.ES512, pemOf(t, p521), p521.Public(), ""},
		{jwa.EdDSA, pemOf(t, ed), ed.Public(), ""},
	} {
		t.Run("R7662-1: private_key_jwt with "+test.algorithm.String(), func(t *testing.T) {
			server, clock := newEndpoint(t, says(inactive)), newClock()
			config := config(server.URL + "/introspect")
			config.ClientSecret, config.Authentication, config.SigningKey = "", PrivateKeyJWT, test.key
			config.now = clock.now
			client := newClientOf(t, config)
			expect(t, client, "one", false, false)
			expect(t, client, "two", false, false)
			got := server.calls()[0]
			if got.form.Get("client_assertion_type") != assertionType || got.header.Get("Authorization") != "" {
				t.Errorf("form %v, header %v", got.form, got.header)
			}
			first := assertionOf(t, got, test.algorithm, test.public, test.id)
			second := assertionOf(t, server.calls()[1], test.algorithm, test.public, test.id)
			if first["iss"] != "gateway" || first["sub"] != "gateway" || first["aud"] != config.Endpoint {
				t.Errorf("claims %v", first)
			}
			if first["exp"] != float64(clock.now().Add(time.Minute).Unix()) || first["iat"] != float64(clock.now().Unix()) {
				t.Errorf("claims %v", first)
			}
			if id, _ := first["jti"].(string); len(id) < 22 || first["jti"] == second["jti"] {
				t.Errorf("jti %v, then %v", first["jti"], second["jti"])
			}
		})
	}
	t.Run("R7662-1: the audience is the issuer where that is known", func(t *testing.T) {
		server := newEndpoint(t, says(active))
		config := config(server.URL)
		config.Issuer, config.Authentication, config.SigningKey = "https://id.example", PrivateKeyJWT, pemOf(t, ed)
		expect(t, newClientOf(t, config), "token", true, false)
		if claims := assertionOf(t, server.calls()[0], jwa.EdDSA, ed.Public(), ""); claims["aud"] != "https://id.example" {
			t.Errorf("claims %v", claims)
		}
		if server.calls()[0].form.Has("client_secret") {
			t.Error("the secret was sent too")
		}
	})
}

// assertionOf returns the claims of a client assertion whose signature is good.
func assertionOf(t *testing.T, got call, algorithm jwa.SignatureAlgorithm, public crypto.PublicKey, id string) map[string]any {
	t.Helper()
	assertion := []byte(got.form.Get("client_assertion"))
	message, err := jws.Parse(assertion, jws.WithCompact())
	if err != nil {
		t.Fatal(err)
	}
	if header := message.Signatures()[0].ProtectedHeaders(); header.KeyID() != id || header.Algorithm() != algorithm {
		sent, _ := header.AsMap(context.Background())
		t.Errorf("header %v", sent)
	}
	payload, err := jws.Verify(assertion, jws.WithKey(algorithm, public), jws.WithCompact())
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
