package model

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPoint asks the gate for every combination that the table speaks of.
func TestEveryPoint(t *testing.T) {
	g, rows := startGates(t), readTable(t)
	clients, asked, wrong := 0, 0, 0
	points(func(p point) {
		want := rows[rows.find(p)]
		if want.status == impossible || wrong > 40 {
			return
		}
		asked, clients = asked+1, clients+1
		got, err := g.ask(p, fmt.Sprintf("2001:db8:%x:%x::1", clients>>16, clients&0xffff))
		if err == nil {
			err = got.differs(p, want)
		}
		if err != nil {
			wrong++
			t.Errorf("%s: %v", p, err)
		}
	})
	t.Logf("%d requests", asked)
	if asked < 10_000 && wrong == 0 {
		t.Errorf("only %d requests were made", asked)
	}
}

// answer is what came back, and what the upstream was told.
type answer struct {
	status  int
	header  http.Header
	body    string
	reached bool
	user    string
}

// ask sends the request of a point from an address of its own.
func (g *gates) ask(p point, address string) (*answer, error) {
	target := g.URL(path(p))
	if p.option == "handle_errors" {
		target = g.SecondURL(path(p))
	}
	method := http.MethodGet
	if p.request == "preflight" || p.request == "options" {
		method = http.MethodOptions
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		return nil, err
	}
	fields := g.fields(p)
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
	}
	if r.Header.Get("X-Forwarded-For") == "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	before := g.reached.Load()
	g.user.Store("")
	response, err := g.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return &answer{response.StatusCode, response.Header, string(body), g.reached.Load() > before, g.user.Load().(string)}, err
}

// differs compares an answer with a row.
func (a *answer) differs(p point, want row) error {
	if fmt.Sprint(a.status) != want.status {
		return fmt.Errorf("status %d and not %s", a.status, want.status)
	}
	if a.reached != (a.status == http.StatusOK) {
		return fmt.Errorf("the upstream was reached: %t", a.reached)
	}
	if a.status == http.StatusOK {
		return a.differsInUser(p)
	}
	if got := challenges(a.header); !slices.Equal(got, wantedChallenges(p, want)) {
		return fmt.Errorf("challenges %q and not %q", got, wantedChallenges(p, want))
	}
	if again := a.header.Get("Retry-After") != ""; again != (a.status == 429 || a.status == 503) {
		return fmt.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if want.code == "" {
		if a.body != "" {
			return fmt.Errorf("something is hidden, and the body is %s", a.body)
		}
		return nil
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		return fmt.Errorf("fields %v", a.header)
	}
	return a.differsInBody(want)
}

// differsInUser compares who the upstream was told with who is good.
func (a *answer) differsInUser(p point) error {
	want := ""
	if p.credential == "good" {
		want = "alice"
	}
	if a.user != want {
		return fmt.Errorf("the upstream takes it for %q and not %q", a.user, want)
	}
	return nil
}

func (a *answer) differsInBody(want row) error {
	var body struct {
		Code           string   `json:"code"`
		RequiredScopes []string `json:"required_scopes"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		return fmt.Errorf("the body %q: %w", a.body, err)
	}
	if body.Code != want.code {
		return fmt.Errorf("code %s and not %s", body.Code, want.code)
	}
	byPlugin := a.header.Get("Content-Type") == "application/problem+json"
	if byPlugin && (len(body.RequiredScopes) > 0) != (want.code == "insufficient_scope") {
		return fmt.Errorf("required scopes %q", body.RequiredScopes)
	}
	return nil
}

var errorOf = regexp.MustCompile(`\berror="([^"]*)"`)

// challenges are the names of the challenges, each with its error.
func challenges(h http.Header) []string {
	var all []string
	for _, field := range h["Www-Authenticate"] {
		name, _, _ := strings.Cut(field, " ")
		if found := errorOf.FindStringSubmatch(field); found != nil {
			name += " " + found[1]
		}
		all = append(all, name)
	}
	return all
}

// wantedChallenges are the ones that a row means for a point.
func wantedChallenges(p point, want row) []string {
	if want.challenge == "none" {
		return nil
	}
	presented := strings.TrimSuffix(p.scheme, " of three")
	all := []string{map[string]string{"bearer": "Bearer", "basic": "Basic", "api_key": "ApiKey"}[presented]}
	if presented != p.scheme {
		all = []string{"Bearer", "Basic", "ApiKey"}
	}
	switch {
	case want.challenge == "ask":
	case want.status == "401" && presented != "bearer":
	case want.status == "401":
		all[0] = "Bearer " + want.challenge
	case slices.Contains(all, "Bearer"):
		return []string{"Bearer " + want.challenge}
	default:
		return nil
	}
	if p.request == "script" {
		if len(all) == 1 && all[0] == "Basic" {
			return []string{"xBasic"}
		}
		return slices.DeleteFunc(all, func(name string) bool { return name == "Basic" })
	}
	return all
}
