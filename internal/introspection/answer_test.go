package introspection

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestAnswer(t *testing.T) {
	t.Run("R7662-2: inactive is inactive, and nothing more is said", func(t *testing.T) {
		for _, body := range []string{inactive, `{"active":false,"exp":"nonsense","sub":"alice"}`} {
			answer := expect(t, newClientOf(t, config(newEndpoint(t, says(body)).URL)), "token", false, false)
			if answer.Claims != nil || !answer.Expires.IsZero() {
				t.Errorf("%s: got %+v", body, answer)
			}
		}
	})
	t.Run("R7662-2: what cannot be a token is inactive without a call", func(t *testing.T) {
		server := newEndpoint(t, says(active))
		client := newClientOf(t, config(server.URL))
		for _, text := range []string{"", "a\x00b", "a\nb", "tokén", "\x7f", "\xff"} {
			expect(t, client, text, false, true)
		}
		expectCalls(t, server, 0)
	})
	t.Run("R7662-6: the whole response is handed on", func(t *testing.T) {
		body := `{"active":true,"exp":1000000000.5,"aud":["a"],"cnf":{"jkt":"x"},"uid":9007199254740993}`
		answer := expect(t, newClientOf(t, config(newEndpoint(t, says(body)).URL)), "token", true, false)
		if answer.Claims["uid"] != int64(9007199254740993) || len(answer.Claims) != 5 {
			t.Errorf("got %v", answer.Claims)
		}
		if !answer.Expires.Equal(time.Unix(1000000000, 5e8)) {
			t.Errorf("expires %s", answer.Expires)
		}
	})
	t.Run("R7662-5: an exp of null is none", func(t *testing.T) {
		answer := expect(t, newClientOf(t, config(newEndpoint(t, says(`{"active":true,"exp":null}`)).URL)), "token", true, false)
		if _, present := answer.Claims["exp"]; present || !answer.Expires.IsZero() {
			t.Errorf("expires %s, %v", answer.Expires, answer.Claims)
		}
	})
	for name, body := range map[string]string{
		"active must be there":                 `{"sub":"alice"}`,
		"active must be a boolean":             `{"active":"true"}`,
		"active must not be a number":          `{"active":1}`,
		"active must not be null":              `{"active":null}`,
		"active must not be repeated":          `{"active":false,"active":true}`,
		"active has no other spelling":         `{"Active":true}`,
		"the answer must be an object":         `[{"active":true}]`,
		"the answer must not be empty":         ``,
		"the answer must not be a page":        `<!doctype html><title>Sign in</title>`,
		"the answer must not be a JWT":         `eyJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCJ9.e30.AA`,
		"nothing may follow the object":        active + active,
		"exp must not be a string":             `{"active":true,"exp":"1000000000"}`,
		"exp must not be a boolean":            `{"active":true,"exp":true}`,
		"exp must not be in milliseconds":      `{"active":true,"exp":1800000000000}`,
		"exp must not be negative":             `{"active":true,"exp":-1}`,
		"exp must not overflow":                `{"active":true,"exp":1e300}`,
		"the answer must not be over a MiB":    `{"active":true,"x":"` + strings.Repeat("a", maxAnswer) + `"}`,
		"the answer must not be cut at a MiB ": active + strings.Repeat(" ", maxAnswer),
	} {
		t.Run("R7662-3: "+name, func(t *testing.T) {
			server := newEndpoint(t, says(body))
			config := config(server.URL)
			logger, logs := newLog()
			config.Logger = func() *zap.Logger { return logger }
			expectUnavailable(t, newClientOf(t, config), "token")
			expectCalls(t, server, 1)
			if logs.FilterMessage("introspection failed").Len() != 1 {
				t.Errorf("logged %v", logs.All())
			}
		})
	}
	for _, code := range []int{http.StatusCreated, http.StatusNoContent, http.StatusNotModified, http.StatusNotFound} {
		t.Run("R7662-3: only 200 is an answer, not "+http.StatusText(code), func(t *testing.T) {
			body := active
			if code == http.StatusNoContent || code == http.StatusNotModified {
				body = ""
			}
			expectUnavailable(t, newClientOf(t, config(newEndpoint(t, status(code, body)).URL)), "token")
		})
	}
}

// FuzzAnswer holds parse against encoding/json: a token is active only if the
// response says so in so many letters.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		active, inactive, `{"active":"true"}`, `{"active":true,"exp":1000000000}`, `{"active":true,"exp":1e11}`,
		`{"active":true,"exp":-0.5}`, `{"active":true,"exp":null,"a":{"b":null}}`, `{"\u0061ctive":true}`, `{"active":false,"active":true}`, `[]`, ``, `{"active":true}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := parse(body)
		if !answer.Active {
			if answer.Claims != nil || !answer.Expires.IsZero() {
				t.Errorf("not active, but %+v", answer)
			}
			return
		}
		var members map[string]json.RawMessage
		if err != nil || json.Unmarshal(body, &members) != nil || string(members["active"]) != "true" {
			t.Errorf("active, but error %v and active %s", err, members["active"])
		}
		maps.DeleteFunc(members, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
		if len(answer.Claims) != len(members) {
			t.Errorf("%d claims of %d", len(answer.Claims), len(members))
		}
		if !answer.Expires.IsZero() && (answer.Expires.Unix() < 0 || answer.Expires.Year() > 9999) {
			t.Errorf("expires %s", answer.Expires)
		}
	})
}
