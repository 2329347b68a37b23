package requireauth

import (
	"net/http"
	"testing"
)

func TestIsStream(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		status int
		kinds  []string
		want   bool
	}{
		"an event stream":                 {"GET", 200, []string{"text/event-stream"}, true},
		"with a parameter and capitals":   {"GET", 200, []string{"Text/Event-Stream ;charset=utf-8"}, true},
		"with a broken parameter":         {"POST", 200, []string{"text/event-stream; ; ="}, true},
		"in a second field":               {"GET", 200, []string{"text/plain", "text/event-stream"}, true},
		"an upgrade":                      {"GET", 101, nil, true},
		"a WebSocket over HTTP/2":         {"CONNECT", 200, nil, true},
		"a tunnel that was refused":       {"CONNECT", 403, []string{"text/plain"}, false},
		"a page":                          {"GET", 200, []string{"text/html"}, false},
		"a kind that only begins like it": {"GET", 200, []string{"text/event-streams"}, false},
		"no kind":                         {"GET", 200, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isStream(&http.Request{Method: test.method}, test.status, http.Header{"Content-Type": test.kinds}); got != test.want {
				t.Error(got)
			}
		})
	}
}
