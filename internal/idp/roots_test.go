package idp

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestClientTrusting has a provider whose authority is in a file.
func TestClientTrusting(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	core, logs := observer.New(zap.InfoLevel)
	await := func(count int) {
		t.Helper()
		for range 1000 {
			if logs.Len() >= count {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("logged %v", logs.All())
	}
	if _, err := NewClientTrusting(t.Context(), path, zap.New(core)); err == nil {
		t.Error("a file that is missing is taken")
	}
	write([]byte("no certificate"))
	if _, err := NewClientTrusting(t.Context(), path, zap.New(core)); err == nil {
		t.Error("a file without a certificate is taken")
	}
	write(own)
	client, err := NewClientTrusting(t.Context(), path, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	trusted := func() error {
		client.CloseIdleConnections()
		_, err := Fetch(t.Context(), client, server.URL, nil)
		return err
	}
	if err := trusted(); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), NewClient(), server.URL, nil); ReasonOf(err) != ReasonCertificate {
		t.Errorf("without the file: %v", err)
	}
	write([]byte("broken"))
	await(1)
	if err := trusted(); err != nil {
		t.Errorf("the last good file does not stay: %v", err)
	}
	stranger, err := os.ReadFile("../../integration_test/configuration/testdata/files/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	write(stranger)
	await(2)
	if err := trusted(); ReasonOf(err) != ReasonCertificate {
		t.Errorf("the former authority is trusted still: %v", err)
	}
	if client.CheckRedirect == nil {
		t.Error("it follows redirects anywhere")
	}
}
