package denial_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

func TestSetGRPC(t *testing.T) {
	fields := func(code authn.Code, contentType string) (status, message string) {
		r := httptest.NewRequest(http.MethodPost, "/a.Service/Call", nil)
		r.Header.Set("Content-Type", contentType)
		h := http.Header{}
		denial.Denial{Code: code}.SetGRPC(r, h)
		return h.Get("Grpc-Status"), h.Get("Grpc-Message")
	}
	for code, want := range map[authn.Code]string{
		authn.CodeMissing: "16", authn.CodeExpiredToken: "16", authn.CodeInsufficientScope: "7", authn.CodeUnavailable: "14",
		authn.CodeTooManyAttempts: "8", authn.CodeInvalidRequest: "3", authn.CodeTooEarly: "14", authn.CodeInternal: "13", "another": "13",
	} {
		if status, message := fields(code, "application/grpc"); status != want || message == "" {
			t.Errorf("%s: status %q, want %q, message %q", code, status, want, message)
		}
	}
	for contentType, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "Application/GRPC+json": true, "application/grpc-web-text": true,
		"application/grpc; a=b": true, "": false, "application/json": false, "application/grpcx": false, "text/application/grpc": false,
	} {
		if status, _ := fields(authn.CodeMissing, contentType); (status != "") != want {
			t.Errorf("%q: status %q", contentType, status)
		}
	}
	if _, message := fields(authn.CodeMissing, "application/grpc"); message != "Not authenticated" {
		t.Errorf("message %q", message)
	}
}
