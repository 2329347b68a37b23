package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestFind(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	leaf := ca.leaf(t, nil)
	c := scheme(t, ClientCert{})
	find := func(connection *tls.ConnectionState, field ...string) authn.Credential {
		t.Helper()
		r := authn.NewRequest(httptest.NewRequest("GET", "/?client_cert=x", nil))
		r.TLS = connection
		for _, name := range field {
			r.Header.Set(name, ":"+encode(leaf)+":")
		}
		credential, err := c.Find(r)
		if err != nil {
			t.Error(err)
		}
		return credential
	}
	t.Run("R8705-3: the certificate of the connection is found, verified or not", func(t *testing.T) {
		digest := sha256.Sum256(leaf.Raw)
		want := authn.Credential{Value: hex.EncodeToString(digest[:]), Location: authn.Location{Kind: "tls", Name: "client_cert"}}
		for _, connection := range []*tls.ConnectionState{unverifiedState(leaf), unverifiedState(leaf, ca.cert), verifiedState(leaf, ca.cert)} {
			if got := find(connection); got != want {
				t.Errorf("found %+v", got)
			}
		}
	})
	t.Run("R8705-4: without one there is none, whatever header fields say", func(t *testing.T) {
		for _, connection := range []*tls.ConnectionState{nil, {}} {
			if got := find(connection, "Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert"); got.Found() {
				t.Errorf("found %+v", got)
			}
		}
	})
	t.Run("KEY-4: its place can be removed and adds nothing to Vary", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/?client_cert=x", strings.NewReader("client_cert=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("client_cert", "x")
		r.TLS = unverifiedState(leaf)
		found := find(r.TLS).Location
		found.Remove(r)
		body, err := io.ReadAll(r.Body)
		if found.VaryField() != "" || r.URL.RawQuery != "client_cert=x" || r.Header.Get("client_cert") != "x" || string(body) != "client_cert=x" || err != nil {
			t.Errorf("Vary %q, left %v with %q, %v", found.VaryField(), r, body, err)
		}
	})
}

// TestTrust holds both ways of trust to the same certificates.
func TestTrust(t *testing.T) {
	ca, stranger := create(t, nil, asAuthority("CA")), create(t, nil, asAuthority("CA"))
	between := create(t, ca, asAuthority("between"))
	over := create(t, ca, func(c *x509.Certificate) {
		asAuthority("over")(c)
		c.NotAfter = noon.Add(-time.Second)
	})
	usage := func(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}
	holder, self := create(t, ca, nil), create(t, nil, nil)
	leaf := holder.cert
	ended := ca.leaf(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) })
	early := ca.leaf(t, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) })
	own, caddys := scheme(t, trusting(t, ClientCert{}, ca)), scheme(t, ClientCert{})
	pinned := scheme(t, trusting(t, ClientCert{}, self))

	for name, test := range map[string]struct {
		scheme     *ClientCert
		connection *tls.ConnectionState
		want       authn.Verdict
		reason     string
	}{
		"of the authority":                                 {own, unverifiedState(leaf), authn.Accepted, ""},
		"of one between that was sent along":               {own, unverifiedState(between.leaf(t, nil), between.cert), authn.Accepted, ""},
		"for any use":                                      {own, unverifiedState(ca.leaf(t, usage(x509.ExtKeyUsageAny))), authn.Accepted, ""},
		"for no use in particular":                         {own, unverifiedState(ca.leaf(t, usage())), authn.Accepted, ""},
		"for servers and clients":                          {own, unverifiedState(ca.leaf(t, usage(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth))), authn.Accepted, ""},
		"signed by itself and trusted itself":              {pinned, unverifiedState(self.cert), authn.Accepted, ""},
		"of one between that was not sent":                 {own, unverifiedState(between.leaf(t, nil)), authn.NotApplicable, "no authority in the trust_pool"},
		"of another authority of that name":                {own, unverifiedState(stranger.leaf(t, nil)), authn.NotApplicable, "no authority in the trust_pool"},
		"of another authority that was sent along":         {own, unverifiedState(stranger.leaf(t, nil), stranger.cert), authn.NotApplicable, "no authority in the trust_pool"},
		"of another authority that Caddy trusts":           {own, verifiedState(stranger.leaf(t, nil), stranger.cert), authn.NotApplicable, "no authority in the trust_pool"},
		"signed by itself":                                 {own, unverifiedState(self.cert), authn.NotApplicable, "no authority in the trust_pool"},
		"signed by a client with its own certificate":      {own, unverifiedState(holder.leaf(t, nil), leaf), authn.NotApplicable, "no authority in the trust_pool"},
		"signed by a client whose own certificate is root": {pinned, unverifiedState(self.leaf(t, nil), self.cert), authn.NotApplicable, "no authority in the trust_pool"},
		"that is over":                                     {own, unverifiedState(ended), authn.Rejected, "expired"},
		"that is not good yet":                             {own, unverifiedState(early), authn.Rejected, "not yet valid"},
		"of one between that is over":                      {own, unverifiedState(over.leaf(t, nil), over.cert), authn.Rejected, "expired"},
		"for servers":                                      {own, unverifiedState(ca.leaf(t, usage(x509.ExtKeyUsageServerAuth))), authn.Rejected, "incompatible key usage"},
		"for signing code":                                 {own, unverifiedState(ca.leaf(t, usage(x509.ExtKeyUsageCodeSigning))), authn.Rejected, "incompatible key usage"},

		"that Caddy verified":                           {caddys, verifiedState(leaf, ca.cert), authn.Accepted, ""},
		"that Caddy verified by one of two ways":        {caddys, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, over.cert}, {leaf, ca.cert}}}, authn.Accepted, ""},
		"that Caddy did not verify":                     {caddys, unverifiedState(leaf, ca.cert), authn.NotApplicable, "Caddy did not verify"},
		"signed by itself that Caddy did not verify":    {caddys, unverifiedState(self.cert), authn.NotApplicable, "Caddy did not verify"},
		"that was good when the connection began":       {caddys, verifiedState(ended, ca.cert), authn.Rejected, "expired since"},
		"that Caddy verified and that begins later":     {caddys, verifiedState(early, ca.cert), authn.Rejected, "expired since"},
		"of one between that was good at the beginning": {caddys, verifiedState(leaf, over.cert, ca.cert), authn.Rejected, "expired since"},
		"with a chain of nothing":                       {caddys, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{}}}, authn.Rejected, "expired since"},
	} {
		t.Run("R8705-3: a certificate "+name, func(t *testing.T) {
			outcome := try(t, test.scheme, test.connection)
			if outcome.Verdict != test.want {
				t.Fatalf("outcome %+v", outcome)
			}
			if test.want == authn.Accepted {
				return
			}
			if outcome.Code != authn.CodeInvalidCredentials || outcome.Identity != nil || !strings.Contains(outcome.Reason.Error(), test.reason) {
				t.Errorf("outcome %+v", outcome)
			}
		})
	}
	t.Run("R8705-3: all files of the pool and all certificates in a file count", func(t *testing.T) {
		c := scheme(t, ClientCert{TrustPool: []string{file(t, "# the first\n"+encode(ca.cert, self.cert)), file(t, encode(stranger.cert))}})
		for _, cert := range []*x509.Certificate{leaf, self.cert, stranger.leaf(t, nil)} {
			if outcome := try(t, c, unverifiedState(cert)); outcome.Verdict != authn.Accepted {
				t.Errorf("outcome %+v", outcome)
			}
		}
	})
	t.Run("O-2: only the certificate that was found is judged", func(t *testing.T) {
		r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
		for _, connection := range []*tls.ConnectionState{nil, {}, unverifiedState(self.cert)} {
			r.TLS = connection
			outcome := own.Verify(context.Background(), r, authn.Credential{Value: hexOf(leaf), Location: tlsLocation})
			if outcome.Verdict != authn.Rejected {
				t.Errorf("outcome %+v", outcome)
			}
		}
	})
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestIdentity(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	full := ca.leaf(t, func(c *x509.Certificate) {
		c.DNSNames = []string{"b.example", "a.example"}
		c.EmailAddresses = []string{"robot@example.com"}
		c.URIs = []*url.URL{parseURL(t, "spiffe://example/robot"), parseURL(t, "spiffe://example/other")}
	})
	bare := ca.leaf(t, func(c *x509.Certificate) { c.Subject = pkix.Name{}; c.DNSNames = []string{""} })
	identify := func(t *testing.T, from Field, cert *x509.Certificate) authn.Outcome {
		t.Helper()
		return try(t, scheme(t, trusting(t, ClientCert{UserFrom: from}, ca)), unverifiedState(cert))
	}
	for from, want := range map[Field]string{
		"": "CN=robot,O=Example", Subject: "CN=robot,O=Example", CommonName: "robot",
		SANDNS: "b.example", SANURI: "spiffe://example/robot", SANEmail: "robot@example.com",
	} {
		t.Run("R8705-3: user_from "+string(from)+" is the caller's id", func(t *testing.T) {
			if outcome := identify(t, from, full); outcome.Identity == nil || outcome.Identity.ID != want {
				t.Errorf("outcome %+v", outcome)
			}
		})
		t.Run("R8705-3: without "+string(from)+" the caller is nobody", func(t *testing.T) {
			if outcome := identify(t, from, bare); outcome.Verdict != authn.Rejected || outcome.Code != authn.CodeInvalidCredentials || outcome.Identity != nil {
				t.Errorf("outcome %+v", outcome)
			}
		})
	}
	t.Run("R8705-3: the names are claims, and the identity ends with the certificate", func(t *testing.T) {
		outcome := identify(t, "", full)
		digest := sha256.Sum256(full.Raw)
		want := &authn.Identity{ID: "CN=robot,O=Example", Expires: noon.Add(time.Hour), Claims: authn.ClaimsOf(map[string]any{
			"subject": "CN=robot,O=Example", "common_name": "robot", "issuer": "CN=CA", "serial": "beef",
			"not_after": noon.Add(time.Hour).Unix(), "sha256": hex.EncodeToString(digest[:]),
			"san_dns": []any{"b.example", "a.example"}, "san_email": []any{"robot@example.com"},
			"san_uri": []any{"spiffe://example/robot", "spiffe://example/other"},
		})}
		if !reflect.DeepEqual(outcome.Identity, want) {
			t.Errorf("got  %+v\nwant %+v", outcome.Identity, want)
		}
	})
	t.Run("R8705-3: a name that is not there is no claim", func(t *testing.T) {
		claims := identify(t, CommonName, ca.leaf(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "robot"} })).Identity.Claims
		if got, want := slices.Sorted(maps.Keys(claims.All())), []string{"common_name", "issuer", "not_after", "serial", "sha256", "subject"}; !slices.Equal(got, want) {
			t.Errorf("claims %v", got)
		}
	})
	t.Run("R8705-3: a comma in a value does not add an attribute", func(t *testing.T) {
		outcome := identify(t, "", ca.leaf(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "robot,O=Example"} }))
		if outcome.Identity == nil || outcome.Identity.ID != `CN=robot\,O=Example` {
			t.Errorf("outcome %+v", outcome)
		}
	})
}

func TestNamesThatAreRefused(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	odd := create(t, nil, asAuthority("CA\nO=Example"))
	attribute := func(last int, value string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, last}, Value: value}
	}
	named := func(attributes ...pkix.AttributeTypeAndValue) *x509.Certificate {
		return ca.leaf(t, func(c *x509.Certificate) { c.Subject = pkix.Name{ExtraNames: attributes} })
	}
	for name, cert := range map[string]*x509.Certificate{
		"a line break in the common name": named(attribute(3, "robot\nX-Admin: 1")),
		"a NUL in the common name":        named(attribute(3, "robot\x00.evil")),
		"a DEL in the organization":       named(attribute(3, "robot"), attribute(10, "Example\x7f")),
		"a C1 control":                    named(attribute(3, "robot\u0085")),
		"a line break in a DNS name":      ca.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"a.example", "b\n.example"} }),
		"a tab in an email address":       ca.leaf(t, func(c *x509.Certificate) { c.EmailAddresses = []string{"a\t@example.com"} }),
		"a line break in the issuer":      odd.leaf(t, nil),
		"two common names":                named(attribute(3, "admin"), attribute(3, "robot")),
		"two serial numbers":              named(attribute(3, "robot"), attribute(5, "1"), attribute(5, "2")),
	} {
		t.Run("R8705-3: "+name+", whichever field is the user", func(t *testing.T) {
			for _, config := range []ClientCert{{UserFrom: CommonName}, {UserFrom: Subject}} {
				outcome := try(t, scheme(t, trusting(t, config, ca, odd)), unverifiedState(cert))
				if outcome.Verdict != authn.Rejected || outcome.Code != authn.CodeInvalidCredentials || outcome.Identity != nil {
					t.Errorf("outcome %+v", outcome)
				}
				if outcome.Reason != nil && strings.ContainsAny(outcome.Reason.Error(), "\n\t\x00\x7f") {
					t.Errorf("reason %q", outcome.Reason)
				}
			}
		})
	}
}

func TestGrants(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	rules := []Rule{
		{Match: map[Field]string{Issuer: "CN=CA"}, Scopes: []string{"read"}, Roles: []string{"known"}},
		{Match: map[Field]string{SANURI: "spiffe://example/*", CommonName: "robot"}, Scopes: []string{"write", "read"}, Roles: []string{"robot"}},
		{Match: map[Field]string{SANURI: "spiffe://example/*", CommonName: "human"}, Scopes: []string{"admin"}},
	}
	robot := ca.leaf(t, func(c *x509.Certificate) {
		c.URIs = []*url.URL{parseURL(t, "https://example.com"), parseURL(t, "spiffe://example/robot")}
	})
	t.Run("R8705-3: the grants of all rules that apply add up, each once", func(t *testing.T) {
		identity := try(t, scheme(t, trusting(t, ClientCert{Rules: rules}, ca)), unverifiedState(robot)).Identity
		if identity == nil || !slices.Equal(identity.Scopes, []string{"read", "write"}) || !slices.Equal(identity.Roles, []string{"known", "robot"}) {
			t.Errorf("identity %+v", identity)
		}
	})
	t.Run("R8705-3: no rule, no grant, but a known caller", func(t *testing.T) {
		for _, config := range []ClientCert{{}, {Rules: rules[2:]}} {
			identity := try(t, scheme(t, trusting(t, config, ca)), unverifiedState(robot)).Identity
			if identity == nil || identity.ID == "" || len(identity.Scopes)+len(identity.Roles) > 0 {
				t.Errorf("identity %+v", identity)
			}
		}
	})
	t.Run("R8705-3: with only_matching the caller is left to another scheme or refused", func(t *testing.T) {
		outcome := try(t, scheme(t, trusting(t, ClientCert{Rules: rules[2:], OnlyMatching: true}, ca)), unverifiedState(robot))
		if outcome.Verdict != authn.NotApplicable || outcome.Code != authn.CodeInvalidCredentials || outcome.Identity != nil {
			t.Errorf("outcome %+v", outcome)
		}
		if outcome := try(t, scheme(t, trusting(t, ClientCert{Rules: rules, OnlyMatching: true}, ca)), unverifiedState(robot)); outcome.Verdict != authn.Accepted {
			t.Errorf("outcome %+v", outcome)
		}
	})
	t.Run("R8705-3: a matching rule makes up for no verification", func(t *testing.T) {
		if outcome := try(t, scheme(t, ClientCert{Rules: rules}), unverifiedState(robot)); outcome.Verdict == authn.Accepted {
			t.Errorf("outcome %+v", outcome)
		}
	})
}

func TestChallenges(t *testing.T) {
	for name, test := range map[string]struct {
		own, inherited, want string
	}{
		"the realm of the app":  {"", "api", `ClientCertificate realm="api"`},
		"a realm of its own":    {"machines", "api", `ClientCertificate realm="machines"`},
		"no realm":              {"", "", `ClientCertificate`},
		"a realm switched off":  {"off", "api", `ClientCertificate`},
		"an app without realms": {"", "off", `ClientCertificate`},
	} {
		t.Run("R9110-1: an unknown caller is sent a challenge with "+name, func(t *testing.T) {
			for _, code := range []authn.Code{authn.CodeMissing, authn.CodeInvalidCredentials, authn.CodeInvalidToken, authn.CodeInsufficientSession} {
				got := scheme(t, ClientCert{Realm: test.own}).Challenges(authn.ChallengeParams{Code: code, Realm: test.inherited, Scope: []string{"read"}})
				if len(got) != 1 || got[0].String() != test.want {
					t.Errorf("%s: %v", code, got)
				}
			}
		})
	}
	t.Run("AMB-14: a known caller is sent none, no challenge could be answered", func(t *testing.T) {
		for _, code := range []authn.Code{authn.CodeInsufficientScope, authn.CodeInsufficientRole, authn.CodeAccessDenied, authn.CodeUnavailable, authn.CodeInvalidRequest} {
			if got := scheme(t, ClientCert{}).Challenges(authn.ChallengeParams{Code: code, Realm: "api"}); got != nil {
				t.Errorf("%s: %v", code, got)
			}
		}
	})
}

// TestOverTLS has Go's TLS, which is Caddy's, make the connections.
func TestOverTLS(t *testing.T) {
	now := time.Now()
	lasting := func(change func(*x509.Certificate)) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			if change != nil {
				change(c)
			}
			c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
		}
	}
	ca := create(t, nil, lasting(asAuthority("CA")))
	stranger := create(t, nil, lasting(asAuthority("stranger")))
	client, other := create(t, ca, lasting(nil)), create(t, stranger, lasting(nil))
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)

	for name, test := range map[string]struct {
		mode   tls.ClientAuthType
		own    bool
		client *authority
		want   string
	}{
		"require_and_verify: a good one":                     {tls.RequireAndVerifyClientCert, false, client, "CN=robot,O=Example"},
		"verify_if_given: a good one":                        {tls.VerifyClientCertIfGiven, false, client, "CN=robot,O=Example"},
		"verify_if_given: none":                              {tls.VerifyClientCertIfGiven, false, nil, "none"},
		"request: a valid one without verification":          {tls.RequestClientCert, false, client, "refused"},
		"require: a valid one without verification":          {tls.RequireAnyClientCert, false, client, "refused"},
		"request with trust_pool: a good one":                {tls.RequestClientCert, true, client, "CN=robot,O=Example"},
		"request with trust_pool: one of another authority":  {tls.RequestClientCert, true, other, "refused"},
		"request with trust_pool: none":                      {tls.RequestClientCert, true, nil, "none"},
		"require_and_verify with trust_pool: a good one":     {tls.RequireAndVerifyClientCert, true, client, "CN=robot,O=Example"},
		"no client_auth: a client that has one is not asked": {tls.NoClientCert, true, client, "none"},
	} {
		t.Run("R8705-3: mode "+name, func(t *testing.T) {
			config := ClientCert{}
			if test.own {
				config = trusting(t, config, ca)
			}
			c := scheme(t, config)
			c.now = time.Now
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer(w, c, r)
			}))
			server.TLS = &tls.Config{ClientAuth: test.mode, ClientCAs: pool}
			server.StartTLS()
			defer server.Close()
			transport := server.Client().Transport.(*http.Transport)
			if test.client != nil {
				// Sent even where the server names other authorities.
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &tls.Certificate{Certificate: [][]byte{test.client.cert.Raw}, PrivateKey: test.client.key}, nil
				}
			}
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != test.want {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
}

// answer writes who the caller is: an id, `none` or `refused`.
func answer(w io.Writer, c *ClientCert, r *http.Request) {
	request, challenge := authn.NewRequest(r), "none"
	if credential, err := c.Find(request); err == nil && credential.Found() {
		challenge = "refused"
		if outcome := c.Verify(r.Context(), request, credential); outcome.Verdict == authn.Accepted {
			challenge = outcome.Identity.ID
		}
	}
	io.WriteString(w, challenge)
}
