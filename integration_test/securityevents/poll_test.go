package securityevents

import (
	"encoding/json"
	"maps"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	clientID     = "gate"
	clientSecret = "the-secret-of-the-gate"
	accessToken  = "the-access-token-of-the-gate"
)

// service is a transmitter with the endpoints of SSF 1.0 §8.1 and RFC 8936. It behaves
// as Keycloak's guide "Shared Signals Framework (SSF)" of 26.x says. Its metadata are
// at the appended location. A receiver has one stream, whose audience Keycloak chooses,
// and a second one is 409. Every poll returns at once, and a stream is verified when it
// is created.
type service struct {
	transmitter

	mutex    sync.Mutex
	stream   map[string]any
	status   string
	queue    map[string]string // by jti
	acked    []string
	errs     map[string]map[string]string
	requests []string
	states   []string
	broken   bool
}

func startService(t testing.TB) *service {
	t.Helper()
	x := &service{transmitter: transmitter{harness.NewProvider(t), t}, status: "enabled", queue: make(map[string]string), errs: make(map[string]map[string]string)}
	x.Path = "/realms/corp"
	x.Up()
	x.Answer(x.serve)
	return x
}

func (x *service) serve(w http.ResponseWriter, r *http.Request) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.requests = append(x.requests, r.Method+" "+r.URL.Path)
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	open := strings.Contains(r.URL.Path, "/.well-known/") || r.URL.Path == "/jwks" || r.URL.Path == "/realms/corp/token"
	if !open && r.Header.Get("Authorization") != "Bearer "+accessToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var body map[string]any
	if r.Method == http.MethodPost && !open {
		if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	switch {
	case x.broken:
		w.WriteHeader(http.StatusInternalServerError)
	case r.URL.Path == "/jwks":
		_, _ = w.Write(x.Document())
	case r.URL.Path == "/realms/corp/.well-known/ssf-configuration":
		answer(map[string]any{
			"issuer": x.Issuer(), "jwks_uri": x.KeySet(), "configuration_endpoint": x.URL("/realms/corp/streams"),
			"status_endpoint": x.URL("/realms/corp/status"), "verification_endpoint": x.URL("/realms/corp/verify"),
		})
	case r.URL.Path == "/realms/corp/.well-known/openid-configuration":
		answer(map[string]any{"issuer": x.Issuer(), "jwks_uri": x.KeySet(), "token_endpoint": x.URL("/realms/corp/token")})
	case r.URL.Path == "/realms/corp/token":
		if id, secret, _ := r.BasicAuth(); id != clientID || secret != clientSecret || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(map[string]any{"access_token": accessToken, "token_type": "Bearer", "expires_in": 300})
	case r.URL.Path == "/realms/corp/streams" && r.Method == http.MethodGet:
		answer(slices.DeleteFunc([]any{x.stream}, func(any) bool { return x.stream == nil }))
	case r.URL.Path == "/realms/corp/streams":
		x.create(w, body)
	case r.URL.Path == "/realms/corp/status":
		answer(map[string]any{"stream_id": r.URL.Query().Get("stream_id"), "status": x.status})
	case r.URL.Path == "/realms/corp/verify":
		x.states = append(x.states, body["state"].(string))
		x.verify(body["state"])
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/realms/corp/poll":
		x.poll(answer, body, r.Header.Get("Content-Language"))
	default:
		http.NotFound(w, r)
	}
}

func (x *service) create(w http.ResponseWriter, body map[string]any) {
	if x.stream != nil {
		w.WriteHeader(http.StatusConflict)
		return
	}
	delivery := body["delivery"].(map[string]any)
	if delivery["method"] == "urn:ietf:rfc:8936" {
		delivery["endpoint_url"] = x.URL("/realms/corp/poll")
	}
	x.stream = map[string]any{
		"stream_id": "stream-1", "iss": x.Issuer(), "aud": []string{receiver}, "delivery": delivery,
		"events_requested": body["events_requested"], "events_delivered": body["events_requested"],
	}
	x.verify(nil)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(x.stream)
}

// verify queues a verification event.
func (x *service) verify(state any) {
	payload := map[string]any{}
	if state != nil {
		payload["state"] = state
	}
	id := "verification-" + strings.Repeat("x", len(x.states))
	x.queue[id] = x.set(x.claims(ssf+"verification", map[string]any{"format": "opaque", "id": "stream-1"}, harness.Claims{
		"jti": id, "events": map[string]any{ssf + "verification": payload},
	}))
}

func (x *service) poll(answer func(any), body map[string]any, language string) {
	ids, _ := body["ack"].([]any)
	for _, id := range ids {
		delete(x.queue, id.(string))
		x.acked = append(x.acked, id.(string))
	}
	errs, _ := body["setErrs"].(map[string]any)
	if len(errs) > 0 && language == "" {
		answer(nil) // their descriptions have a language, RFC 8936 §2.6
		return
	}
	for id, value := range errs {
		text, _ := json.Marshal(value)
		var reason map[string]string
		_ = json.Unmarshal(text, &reason)
		delete(x.queue, id)
		x.errs[id] = reason
	}
	answer(map[string]any{"sets": maps.Clone(x.queue), "moreAvailable": false})
}

// send queues an event.
func (x *service) send(id, set string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.queue[id] = set
}

// result reports whether an event was acknowledged, and the code if it was refused.
func (x *service) result(id string) (acked bool, code string) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	return slices.Contains(x.acked, id), x.errs[id]["err"]
}

func (x *service) count(request string) (number int) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	for _, one := range x.requests {
		if one == request {
			number++
		}
	}
	return number
}

const byClient = "client_id " + clientID + "\nclient_secret " + clientSecret

func TestPoll(t *testing.T) {
	x := startService(t)
	s := harness.StartWithAdmin(t, x.config("poll 1s", byClient))
	harness.Eventually(t, "the verification event is acknowledged", func() bool {
		acked, _ := x.result("verification-x")
		return acked
	})
	t.Run("the stream has the events that revoke", func(t *testing.T) {
		x.mutex.Lock()
		defer x.mutex.Unlock()
		requested, _ := x.stream["events_requested"].([]any)
		if len(requested) != 8 || !slices.Contains(requested, any(caep+"session-revoked")) || !slices.Contains(requested, any(risc+"account-disabled")) {
			t.Error(requested)
		}
	})
	t.Run("an event revokes and is acknowledged", func(t *testing.T) {
		token := x.Token(old())
		wantRevoked(t, s, token, false)
		x.send("1", x.set(x.claims(caep+"session-revoked", x.user("alice"), harness.Claims{"jti": "1"})))
		harness.Eventually(t, "it is acknowledged", func() bool { acked, _ := x.result("1"); return acked })
		wantRevoked(t, s, token, true)
	})
	t.Run("events that are refused are named with a code", func(t *testing.T) {
		x.send("2", "hello")
		x.send("3", x.set(x.claims(caep+"session-revoked", x.user("bob"), harness.Claims{"jti": "3", "aud": "https://other.example"})))
		x.send("4", x.set(x.claims(caep+"session-revoked", x.user("bob"), harness.Claims{"jti": "5"})))
		x.send("6", x.set(x.claims(caep+"session-revoked", x.user("bob"), harness.Claims{"jti": "6", "iss": "https://other.example"})))
		x.send("7", x.set(x.claims(ssf+"verification", nil, harness.Claims{"jti": "7", "events": map[string]any{ssf + "verification": map[string]any{"state": "made-up"}}})))
		x.send("8", x.set(x.claims("urn:example:other", x.user("bob"), harness.Claims{"jti": "8"})))
		for id, want := range map[string]string{"2": "invalid_request", "3": "invalid_audience", "4": "invalid_request", "6": "invalid_issuer", "7": "invalid_state"} {
			harness.Eventually(t, "event "+id+" is refused", func() bool { _, code := x.result(id); return code == want })
		}
		harness.Eventually(t, "the other one is acknowledged", func() bool { acked, _ := x.result("8"); return acked })
		wantRevoked(t, s, x.Token(old(), harness.Claims{"sub": "bob"}), false)
	})
	t.Run("a transmitter that was down is polled again", func(t *testing.T) {
		x.Down()
		harness.Eventually(t, "the outage is in the log", func() bool { return strings.Contains(s.LogText(), "the stream of security events does not work") })
		x.send("9", x.set(x.claims(caep+"session-revoked", x.user("carol"), harness.Claims{"jti": "9"})))
		x.Up()
		harness.Eventually(t, "the event is acknowledged", func() bool { acked, _ := x.result("9"); return acked })
		wantRevoked(t, s, x.Token(old(), harness.Claims{"sub": "carol"}), true)
		if !strings.Contains(s.LogText(), "the stream of security events works again") {
			t.Error("the end of the outage is not in the log")
		}
	})
	t.Run("a reload finds the stream again", func(t *testing.T) {
		s.Reload(strings.Replace(x.config("poll 1s", byClient), "respond ok", "respond again", 1))
		x.send("10", x.set(x.claims(caep+"session-revoked", x.user("dave"), harness.Claims{"jti": "10"})))
		harness.Eventually(t, "the event is acknowledged", func() bool { acked, _ := x.result("10"); return acked })
		if got := x.count("POST /realms/corp/streams"); got != 1 {
			t.Errorf("%d streams", got)
		}
	})
	t.Run("without poll nothing is asked any more", func(t *testing.T) {
		s.Reload(x.config())
		var running strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&running, 1); err != nil || strings.Contains(running.String(), "Transmitter).follow") {
			t.Errorf("%v\n%s", err, running.String())
		}
	})
	for _, secret := range []string{clientSecret, accessToken} {
		if strings.Contains(s.LogText(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// TestKeysOfPoll has an event whose key cannot be fetched: it is neither acknowledged nor
// refused until it can.
func TestKeysOfPoll(t *testing.T) {
	x := startService(t)
	var keys sync.Map
	x.Answer(func(w http.ResponseWriter, r *http.Request) {
		if _, up := keys.Load("up"); r.URL.Path == "/jwks" && !up {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		x.serve(w, r)
	})
	s := harness.StartWithAdmin(t, x.config("poll 1s", "bearer_token "+accessToken))
	x.send("1", x.set(x.claims(caep+"session-revoked", x.user("alice"), harness.Claims{"jti": "1"})))
	harness.Eventually(t, "the event waits", func() bool { return slices.Contains(resultsOf(s), any("unavailable")) })
	if acked, code := x.result("1"); acked || code != "" {
		t.Error(acked, code)
	}
	keys.Store("up", true)
	harness.Eventually(t, "the event is acknowledged", func() bool { acked, _ := x.result("1"); return acked })
	harness.Eventually(t, "the token is revoked", func() bool { return s.Get("/", harness.Bearer(x.Token(old()))).Status == http.StatusUnauthorized })
	wantRevoked(t, s, x.Token(old()), true)
}

// TestPushStream has the receiver create the stream that pushes to it.
func TestPushStream(t *testing.T) {
	x := startService(t)
	s := harness.StartWithAdmin(t, x.config("push https://api.example.com/auth/events", `authorization "Bearer shared-with-the-transmitter"`, byClient))
	harness.Eventually(t, "a verification is requested", func() bool {
		x.mutex.Lock()
		defer x.mutex.Unlock()
		return len(x.states) == 1
	})
	x.mutex.Lock()
	delivery := x.stream["delivery"].(map[string]any)
	requested := x.queue["verification-x"]
	x.mutex.Unlock()
	if !maps.Equal(delivery, map[string]any{
		"method": "urn:ietf:rfc:8935", "endpoint_url": "https://api.example.com/auth/events", "authorization_header": "Bearer shared-with-the-transmitter",
	}) {
		t.Error(delivery)
	}
	secret := harness.Bearer("shared-with-the-transmitter")
	wantAccepted(t, push(s, requested, secret))
	invented := x.claims(ssf+"verification", nil, harness.Claims{"events": map[string]any{ssf + "verification": map[string]any{"state": "made-up"}}})
	wantRefused(t, push(s, x.set(invented), secret), "invalid_state")
	t.Run("a stream that is paused is in the log", func(t *testing.T) {
		x.mutex.Lock()
		x.status = "paused"
		x.mutex.Unlock()
		s.Reload(strings.Replace(x.config("push https://api.example.com/auth/events", byClient), "respond ok", "respond again", 1))
		harness.Eventually(t, "the status is in the log", func() bool { return strings.Contains(s.LogText(), `"status":"paused"`) })
	})
}

// TestStreamOfAnother has a stream with another audience or delivery.
func TestStreamOfAnother(t *testing.T) {
	for name, test := range map[string]struct {
		stream map[string]any
		says   string
	}{
		"another audience": {
			map[string]any{"stream_id": "1", "aud": "https://other.example", "delivery": map[string]any{"method": "urn:ietf:rfc:8936"}},
			"write it in audience",
		},
		"another delivery": {map[string]any{"stream_id": "1", "aud": receiver, "delivery": map[string]any{"method": "urn:ietf:rfc:8935"}}, "status 409"},
		"no URL to poll":   {map[string]any{"stream_id": "1", "aud": receiver, "delivery": map[string]any{"method": "urn:ietf:rfc:8936"}}, "endpoint_url"},
		"a URL without TLS": {
			map[string]any{"stream_id": "1", "aud": receiver, "delivery": map[string]any{"method": "urn:ietf:rfc:8936", "endpoint_url": "http://other.example/poll"}},
			"endpoint_url",
		},
		"a URL of another host": {
			map[string]any{"stream_id": "1", "aud": receiver, "delivery": map[string]any{"method": "urn:ietf:rfc:8936", "endpoint_url": "http://127.0.0.1:1/poll"}},
			"is at another host than the transmitter",
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := startService(t)
			x.stream = test.stream
			s := harness.StartWithAdmin(t, x.config("poll", byClient))
			harness.Eventually(t, "the cause is in the log", func() bool { return strings.Contains(s.LogText(), test.says) })
		})
	}
}
