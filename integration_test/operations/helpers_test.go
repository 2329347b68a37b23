package operations

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// Texts that must not appear in an answer, a metric or a log.
const (
	password = "correct-horse"
	// hash is that of password, at the lowest cost.
	hash   = "$2a$04$UF0wlFsJrWagK55jlDNQG.Vci3cZcH8kNwj4TLEglMlkxCjfeC3za"
	apiKey = "the-api-key-of-partner-a-0123456789"
)

// post sends JSON to the admin API.
func post(s *harness.Server, path, body string) *harness.Response {
	return s.Do(http.MethodPost, s.AdminURL(path), harness.Body("application/json", body))
}

// decode reads the answer and refuses members that the target does not have.
func decode[T any](t *testing.T, response *harness.Response) T {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(response.Body))
	decoder.DisallowUnknownFields()
	var answer T
	if err := decoder.Decode(&answer); err != nil || response.Status != http.StatusOK {
		t.Fatalf("status %d, %v\n%s", response.Status, err, response.Body)
	}
	return answer
}

// wantError fails the test unless the answer is an error of the API that says
// something.
func wantError(t *testing.T, response *harness.Response, status int, says string) {
	t.Helper()
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(response.Body), &answer)
	if response.Status != status || !strings.Contains(answer.Error, says) {
		t.Errorf("status %d, want %d and %q in\n%s", response.Status, status, says, response.Body)
	}
}

// serveError answers with an error whose text must not be repeated.
func serveError(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "a message with some-secret-nobody-may-see", http.StatusInternalServerError)
}
