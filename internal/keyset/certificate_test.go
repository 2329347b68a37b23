package keyset

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// certificateOf returns an expired and untrusted certificate: only the document makes
// its key trusted.
func certificateOf(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1_000_000_000, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// TestCertificates has keys that are published as certificates.
func TestCertificates(t *testing.T) {
	rsaChain := []string{base64.StdEncoding.EncodeToString(certificateOf(t, rsaKey(t, 2048)))}
	short := []string{base64.StdEncoding.EncodeToString(certificateOf(t, rsaKey(t, 1024)))}
	ecDER := certificateOf(t, ecKey(t, elliptic.P256()))
	ecChain := append([]string{base64.StdEncoding.EncodeToString(ecDER)}, rsaChain...)
	pemText := string(pemBlock("CERTIFICATE", ecDER))
	for name, test := range map[string]struct {
		document any
		alg      string // of the key with the ID c; empty if there is none
		fail     string
	}{
		"x5c alone, as CAS":                {entry{"kty": "EC", "kid": "c", "use": "sig", "x5c": ecChain}, "ES256", ""},
		"RSA":                              {entry{"kty": "RSA", "kid": "c", "alg": "RS256", "x5c": rsaChain}, "RS256", ""},
		"JWT-3: kty of another key":        {entry{"kty": "RSA", "kid": "c", "x5c": ecChain}, "", "kty"},
		"JWT-3: alg of another key":        {entry{"kty": "EC", "kid": "c", "alg": "RS256", "x5c": ecChain}, "", "does not fit"},
		"JWT-4: a short RSA key":           {entry{"kty": "RSA", "kid": "c", "x5c": short}, "", "too short"},
		"JWT-14: a private member":         {entry{"kty": "EC", "kid": "c", "d": "c2VjcmV0", "x5c": ecChain}, "", "private member"},
		"JWT-14: for encryption":           {entry{"kty": "EC", "kid": "c", "use": "enc", "x5c": ecChain}, "", "use"},
		"no list":                          {entry{"kty": "EC", "kid": "c", "x5c": "?"}, "", "not a list"},
		"an empty list":                    {entry{"kty": "EC", "kid": "c", "x5c": []string{}}, "", "not a list"},
		"no certificate":                   {entry{"kty": "EC", "kid": "c", "x5c": []string{"AAAA"}}, "", "x5c"},
		"a map, as Firebase":               {entry{"c": pemText, "a": pemText}, "ES256", ""},
		"a map with one that is weak":      {entry{"c": pemText, "a": string(pemBlock("CERTIFICATE", certificateOf(t, rsaKey(t, 1024))))}, "ES256", ""},
		"a map with something else":        {entry{"c": pemText, "a": "b"}, "", "neither"},
		"a map with two in one":            {entry{"c": pemText + pemText}, "", "neither"},
		"JWT-14: a map with a private key": {entry{"c": string(pemBlock("PRIVATE KEY", []byte("c2VjcmV0")))}, "", "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Parse(toJSON(t, test.document))
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) || strings.Contains(err.Error(), "c2VjcmV0") {
					t.Errorf("got %v, want %q", err, test.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if keys := set.Find("c", test.alg); len(keys) != 1 || keys[0].ID != "c" {
				t.Errorf("got %v", set.Keys())
			}
		})
	}
	t.Run("a PEM file at a URL", func(t *testing.T) {
		up := new(provider)
		up.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pemOf(t, edKey(t))) })
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			expect(t, remote, "", 1)
		})
	})
}
