package operations

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func init() {
	caddy.RegisterModule(new(listener))
}

// listener is an event handler that remembers what it was told.
type listener struct{}

var received struct {
	mutex  sync.Mutex
	events []caddy.Event
}

func (*listener) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.remember", New: func() caddy.Module { return new(listener) }}
}

func (*listener) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*listener) Handle(_ context.Context, event caddy.Event) error {
	received.mutex.Lock()
	defer received.mutex.Unlock()
	received.events = append(received.events, event)
	return nil
}

// eventsNamed returns the data of the events of a name, and forgets all.
func eventsNamed(name string) []map[string]any {
	received.mutex.Lock()
	defer received.mutex.Unlock()
	var all []map[string]any
	for _, event := range received.events {
		if event.Name() == name {
			all = append(all, event.Data)
		}
	}
	received.events = nil
	return all
}

func TestEvents(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, strings.Replace(everything(p), "{\n\tauth {", "{\n\tevents {\n\t\ton auth_denied remember\n\t\ton auth_keys_failed remember\n\t}\n\tauth {", 1))
	token := p.Token()
	eventsNamed("")

	s.Get("/admin/x?access_token="+token, harness.Bearer(token), harness.Header("X-Trace-Id", "trace-1"))
	denied := eventsNamed("auth_denied")
	if len(denied) != 1 {
		t.Fatalf("heard %v", denied)
	}
	got, err := json.Marshal(denied[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"client_ip":"127.0.0.1","code":"insufficient_scope","method":"GET","path":"/admin/x","scheme":"corp","status":403,"trace_id":"trace-1","user_id":"alice"}`
	if strings.ReplaceAll(string(got), "::1", "127.0.0.1") != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}

	s.Get("/admin/x", harness.Bearer(p.Token(harness.Claims{"scope": "admin"})))
	if admitted := eventsNamed("auth_denied"); len(admitted) != 0 {
		t.Errorf("heard %v", admitted)
	}

	p.Answer(serveError)
	post(s, "/auth/schemes/corp/refresh", "")
	var failed []map[string]any
	harness.Eventually(t, "the event", func() bool { failed = eventsNamed("auth_keys_failed"); return len(failed) > 0 })
	if got := failed[0]; got["scheme"] != "corp" || got["from"] != p.KeySet() || got["reason"] != "status" || got["keys"] != 1 {
		t.Errorf("heard %v", got)
	}

	// A listener that has ended gets no more events.
	s.Reload(one)
	eventsNamed("")
	s.Get("/")
	if after := eventsNamed("auth_denied"); len(after) != 0 {
		t.Errorf("heard %v", after)
	}
}
