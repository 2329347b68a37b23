//go:build redis

package redis

import (
	"os"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificates are the paths of PEM files.
type certificates struct{ ca, server, serverKey, client, clientKey string }

// makeCertificates makes an authority, and certificates of it for localhost.
func makeCertificates(t *testing.T) certificates {
	t.Helper()
	authority := harness.Certificate(t, "an authority for tests", nil, time.Hour)
	var files certificates
	files.ca, _ = harness.SaveCertificate(t, authority)
	files.server, files.serverKey = harness.SaveCertificate(t, harness.Certificate(t, "localhost", &authority, time.Hour))
	files.client, files.clientKey = harness.SaveCertificate(t, harness.Certificate(t, "client", &authority, time.Hour))
	return files
}
