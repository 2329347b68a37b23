package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // the hash of x5t (RFC 7515 §4.1.7)
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// provider is the form of the tokens and keys of a provider, beside the claims that the
// page has.
type provider struct {
	// header is the header of tokens, `alg` included. keys is the document of keys; a
	// word that begins with $ stands for a part of the key, see [documentOf].
	header, keys string

	// field is the header field that has the token, Authorization by default.
	field string

	// invalidClaims are claims that replace others in a token that must be denied, and
	// otherHeader replaces its header. path is what that token asks for, / by default.
	invalidClaims harness.Claims
	otherHeader   string
	path          string

	// reason is a part of the log record of the denial.
	reason string
}

const (
	plainHeader = `{"alg":"RS256","typ":"JWT","kid":"k1"}`
	noIssuer    = "iss is not the configured issuer"
	noAudience  = "aud names no configured audience"
)

// providersOfDocs are the providers of docs/providers.md.
var providersOfDocs = map[string]provider{
	"Keycloak": {
		header:        plainHeader,
		keys:          `{"keys":[{"kid":"e1","kty":"RSA","alg":"RSA-OAEP","use":"enc","n":"$n","e":"AQAB","x5c":["$x5c"],"x5t":"$x5t"},{"kid":"k1","kty":"RSA","alg":"RS256","use":"sig","n":"$n","e":"AQAB","x5c":["$x5c"],"x5t":"$x5t"}]}`,
		invalidClaims: harness.Claims{"typ": "ID"}, reason: "the claim typ says that this is another kind of token",
	},
	"Auth0": {
		header:        plainHeader,
		keys:          `{"keys":[{"kty":"RSA","use":"sig","n":"$n","e":"AQAB","kid":"k1","x5t":"$x5t","x5c":["$x5c"],"alg":"RS256"}]}`,
		invalidClaims: harness.Claims{"aud": "https://tenant.eu.auth0.com/userinfo"}, reason: noAudience,
	},
	"Microsoft Entra ID": {
		header:        plainHeader,
		keys:          `{"keys":[{"kty":"RSA","use":"sig","kid":"k1","x5t":"$x5t","n":"$n","e":"AQAB","x5c":["$x5c"],"cloud_instance_name":"microsoftonline.com","issuer":"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"}]}`,
		invalidClaims: harness.Claims{"roles": nil, "_claim_names": map[string]string{"groups": "src1"}, "_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://graph.windows.net/1/users/5f0c/getMemberObjects"}}},
		path:          "/role", reason: "the user has too many",
	},
	"Microsoft Entra ID, version 1 tokens": {
		header:        `{"typ":"JWT","alg":"RS256","x5t":"$x5t","kid":"k1"}`,
		keys:          `{"keys":[{"kty":"RSA","use":"sig","kid":"k1","x5t":"$x5t","n":"$n","e":"AQAB","x5c":["$x5c"],"issuer":"https://sts.windows.net/{tenantid}/"}]}`,
		invalidClaims: harness.Claims{"aud": "00000003-0000-0000-c000-000000000000"}, reason: noAudience,
	},
	"Microsoft Entra ID, many tenants": {
		header:      plainHeader,
		keys:        `{"keys":[{"kty":"RSA","use":"sig","kid":"k1","x5t":"$x5t","n":"$n","e":"AQAB","x5c":["$x5c"],"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"},{"kty":"RSA","use":"sig","kid":"k2","x5t":"$x5t","n":"$n","e":"AQAB","x5c":["$x5c"],"issuer":"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"}]}`,
		otherHeader: `{"alg":"RS256","typ":"JWT","kid":"k2"}`, reason: "the key may sign only for another issuer",
	},
	"Azure AD B2C": {
		header:        plainHeader,
		keys:          `{"keys":[{"kid":"k1","nbf":1293763266,"use":"sig","kty":"RSA","e":"AQAB","n":"$n"}]}`,
		invalidClaims: harness.Claims{"azp": nil, "scp": nil}, reason: "the claim nonce belongs to another kind of token",
	},
	"AD FS": {
		header:        `{"typ":"JWT","alg":"RS256","x5t":"$x5t","kid":"k1"}`,
		keys:          `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","x5t":"$x5t","n":"$n","e":"AQAB","x5c":["$x5c"]}]}`,
		invalidClaims: harness.Claims{"iss": "https://adfs.example.com/adfs"}, reason: noIssuer,
	},
	"Okta": {
		header:        `{"kid":"k1","alg":"RS256"}`,
		keys:          `{"keys":[{"kty":"RSA","alg":"RS256","kid":"k1","use":"sig","e":"AQAB","n":"$n"}]}`,
		invalidClaims: harness.Claims{"iss": "https://company.okta.com"}, reason: noIssuer,
	},
	"Amazon Cognito": {
		header:        `{"kid":"abc+/123=","alg":"RS256"}`,
		keys:          `{"keys":[{"alg":"RS256","e":"AQAB","kid":"abc+/123=","kty":"RSA","n":"$n","use":"sig"}]}`,
		invalidClaims: harness.Claims{"token_use": "id"}, reason: "the claim token_use says that this is another kind of token",
	},
	"Google": {
		header:        plainHeader,
		keys:          `{"keys":[{"n":"$n","e":"AQAB","use":"sig","alg":"RS256","kty":"RSA","kid":"k1"}]}`,
		invalidClaims: harness.Claims{"at_hash": "aGFzaA"}, reason: "the claim at_hash belongs to another kind of token",
	},
	"Google Identity-Aware Proxy": {
		header:        `{"alg":"ES256","typ":"JWT","kid":"k1"}`,
		keys:          `{"keys":[{"alg":"ES256","crv":"P-256","kid":"k1","kty":"EC","use":"sig","x":"$x","y":"$y"}]}`,
		field:         "X-Goog-IAP-JWT-Assertion",
		invalidClaims: harness.Claims{"aud": "/projects/1234567890/global/backendServices/9"}, reason: noAudience,
	},
	"Cloudflare Access": {
		header:        plainHeader,
		keys:          `{"keys":[{"kid":"k1","kty":"RSA","alg":"RS256","use":"sig","e":"AQAB","n":"$n"}],"public_cert":{"kid":"k1","cert":"$pem"},"public_certs":[{"kid":"k1","cert":"$pem"}]}`,
		field:         "Cf-Access-Jwt-Assertion",
		invalidClaims: harness.Claims{"aud": []string{"another"}}, reason: noAudience,
	},
	"Firebase": {
		header:        plainHeader,
		keys:          `{"k1":"$pem"}`,
		invalidClaims: harness.Claims{"iss": "https://securetoken.google.com/other-1234", "aud": "other-1234"}, reason: noIssuer,
	},
	"Supabase": {
		header:        `{"alg":"ES256","kid":"k1","typ":"JWT"}`,
		keys:          `{"keys":[{"alg":"ES256","crv":"P-256","ext":true,"key_ops":["verify"],"kid":"k1","kty":"EC","use":"sig","x":"$x","y":"$y"}]}`,
		invalidClaims: harness.Claims{"iss": "supabase", "role": "anon", "ref": "orders1234"}, reason: noIssuer,
	},
	"Kubernetes service accounts": {
		header:        `{"alg":"RS256","kid":"k1"}`,
		keys:          `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"aud": []string{"https://kubernetes.default.svc.cluster.local"}}, reason: noAudience,
	},
	"Zitadel": {
		header:        `{"alg":"RS256","kid":"k1"}`,
		keys:          `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"aud": []string{"2819876543210"}}, reason: noAudience,
	},
	"authentik": {
		header:        plainHeader,
		keys:          `{"keys":[{"alg":"RS256","kid":"k1","kty":"RSA","use":"sig","n":"$n","e":"AQAB","x5c":["$x5c"],"x5t":"$x5t"}]}`,
		invalidClaims: harness.Claims{"at_hash": "aGFzaA"}, reason: "the claim at_hash belongs to another kind of token",
	},
	"Authelia": {
		header:      `{"alg":"RS256","kid":"k1","typ":"at+jwt"}`,
		keys:        `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"$n","e":"AQAB"}]}`,
		otherHeader: plainHeader, reason: "typ is not at+jwt",
	},
	"Dex": {
		header:        `{"alg":"RS256","kid":"k1"}`,
		keys:          `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"aud": "other-web"}, reason: noAudience,
	},
	"Ory Hydra": {
		header:        plainHeader,
		keys:          `{"keys":[{"use":"sig","kty":"RSA","kid":"k1","alg":"RS256","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"aud": []string{}}, reason: noAudience,
	},
	"GitHub Actions": {
		header:        `{"typ":"JWT","alg":"RS256","x5t":"$x5t","kid":"k1"}`,
		keys:          `{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"k1","n":"$n","e":"AQAB","x5c":["$x5c"],"x5t":"$x5t"}]}`,
		invalidClaims: harness.Claims{"aud": "https://github.com/shop"}, reason: noAudience,
	},
	"Kakao": {
		header:        `{"kid":"k1","typ":"JWT","alg":"RS256"}`,
		keys:          `{"keys":[{"kid":"k1","kty":"RSA","alg":"RS256","use":"sig","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"aud": "fedcba9876543210fedcba9876543210"}, reason: noAudience,
	},
	"LINE": {
		header:      `{"typ":"JWT","alg":"ES256","kid":"k1"}`,
		keys:        `{"keys":[{"kty":"EC","use":"sig","crv":"P-256","kid":"k1","x":"$x","y":"$y"}]}`,
		otherHeader: `{"typ":"JWT","alg":"HS256"}`, reason: "the token is signed with a secret",
	},
	"A provider in the same network": {
		header:        plainHeader,
		keys:          `{"keys":[{"kid":"k1","kty":"RSA","alg":"RS256","use":"sig","n":"$n","e":"AQAB"}]}`,
		invalidClaims: harness.Claims{"iss": "https://keycloak/realms/main"}, reason: noIssuer,
	},
}

var (
	claimsOfDocs = regexp.MustCompile("(?s)```json\n(.*?)```")
	// accessOfDocs are the lines for keys and authorities. The keys of the test replace
	// them.
	accessOfDocs = regexp.MustCompile(`(?m)^\t(jwks [^\n{]*(\{[^}]*\})?|ca_file .*|allow_http .*)\n`)
	issuerOfDocs = regexp.MustCompile(`(?m)^\tissuer .*\n`)
	givenByDocs  = regexp.MustCompile("(user|client|scopes|roles) `([^`]+)`")
)

// TestProviders has a token and a document of keys in the form of each provider.
func TestProviders(t *testing.T) {
	page, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(page), "\n## ")[1:]
	if len(sections) != len(providersOfDocs) {
		t.Errorf("the page has %d providers, the test %d", len(sections), len(providersOfDocs))
	}
	for _, text := range sections {
		name, text, _ := strings.Cut(text, "\n")
		t.Run(name, func(t *testing.T) {
			provider, known := providersOfDocs[name]
			if !known {
				t.Fatal("the test does not know the form of its tokens")
			}
			keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, documentOf(provider.keys)) }))
			t.Cleanup(keys.Close)
			scheme := accessOfDocs.ReplaceAllString(caddyfileBlock.FindStringSubmatch(text)[1], "")
			s := harness.Start(t, "{\nauth {\n"+issuerOfDocs.ReplaceAllString(scheme, "$0\tjwks "+keys.URL+"\n")+`}
}
http://localhost:8080 {
	require_auth
	require_auth /role {
		role somebody-else
	}
	respond "{http.auth.user.id};{http.auth.client.id};{http.auth.user.scope};{http.auth.user.roles}"
}
`)
			var claims harness.Claims
			if err := json.Unmarshal([]byte(claimsOfDocs.FindStringSubmatch(text)[1]), &claims); err != nil {
				t.Fatal(err)
			}
			for _, claim := range []string{"aud", "sub"} {
				if claims[claim] == nil {
					claims[claim] = nil // the harness leaves its own out
				}
			}
			_, sentence, _ := strings.Cut(text, "\nThis token gives ")
			sentence, _, _ = strings.Cut(sentence, ".\n\n")
			sentence, _, _ = strings.Cut(sentence, ". In the gate")
			send := func(token string) harness.Option {
				if provider.field != "" {
					return harness.Header(provider.field, token)
				}
				return harness.Bearer(token)
			}
			settings := make(map[string]string)
			for _, part := range givenByDocs.FindAllStringSubmatch(sentence, -1) {
				settings[part[1]] = part[2]
			}
			want := strings.Join([]string{settings["user"], settings["client"], settings["scopes"], strings.ReplaceAll(settings["roles"], " ", ",")}, ";")
			if got := s.Get("/", send(tokenOf(t, provider.header, claims))).Want(http.StatusOK, "").Body; got != want || settings["user"] == "" {
				t.Errorf("got %q, the page says %q", got, want)
			}
			header := provider.header
			if provider.otherHeader != "" {
				header = provider.otherHeader
			}
			answer := s.Get("/"+strings.TrimPrefix(provider.path, "/"), send(tokenOf(t, header, claims, provider.invalidClaims)))
			records := s.Decisions()
			record := records[len(records)-1]
			if reason, _ := record["reason"].(string); answer.Status != http.StatusUnauthorized && provider.path == "" || record["decision"] != "denied" || !strings.Contains(reason, provider.reason) {
				t.Errorf("status %d, the record is %v, want %q", answer.Status, record, provider.reason)
			}
		})
	}
}

// keysOfProviders are a key of each kind, and a certificate of the first.
var keysOfProviders = sync.OnceValue(func() (keys struct {
	rsa         *rsa.PrivateKey
	ec          *ecdsa.PrivateKey
	certificate []byte
}) {
	var err error
	if keys.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if keys.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour)}
	if keys.certificate, err = x509.CreateCertificate(rand.Reader, template, template, keys.rsa.Public(), keys.rsa); err != nil {
		panic(err)
	}
	return keys
})

// documentOf puts the keys into a text. $n belongs to the RSA key, $x and $y to the
// other, and $x5c, $x5t and $pem to the certificate.
func documentOf(text string) string {
	keys := keysOfProviders()
	point, err := keys.ec.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	thumbprint := sha1.Sum(keys.certificate)
	encoded := base64.RawURLEncoding.EncodeToString
	return strings.NewReplacer(
		"$x5c", base64.StdEncoding.EncodeToString(keys.certificate), "$x5t", encoded(thumbprint[:]),
		"$pem", strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keys.certificate})), "\n", `\n`),
		"$n", encoded(keys.rsa.N.Bytes()), "$x", encoded(point[1:33]), "$y", encoded(point[33:]),
	).Replace(text)
}

// tokenOf signs claims under a header, with the key of its algorithm.
func tokenOf(t *testing.T, header string, claims ...harness.Claims) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(documentOf(header)), &members); err != nil {
		t.Fatal(err)
	}
	algorithm := jwa.SignatureAlgorithm(members["alg"].(string))
	key := map[jwa.SignatureAlgorithm]any{jwa.RS256: keysOfProviders().rsa, jwa.ES256: keysOfProviders().ec, jwa.HS256: []byte(harness.Secret)}[algorithm]
	return harness.Sign(t, algorithm, key, members, claims...)
}
