package model

import (
	"encoding/json"
	"errors"
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
	clients, count, mismatches := 0, 0, 0
	points(func(p point) {
		want := rows[rows.find(p)]
		if want.status == impossible || mismatches > 40 {
			return
		}
		count, clients = count+1, clients+1
		got, err := g.exchange(p, fmt.Sprintf("2001:db8:%x:%x::1", clients>>16, clients&0xffff))
		if err == nil {
			err = errors.Join(got.differs(p, want), g.checkSecrets(got))
		}
		if err != nil {
			mismatches++
			t.Errorf("%s: %v", p, err)
		}
	})
	t.Logf("%d requests", count)
	g.readLog()
	if count < 20_000 && mismatches == 0 {
		t.Errorf("only %d requests were made", count)
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

// checkSecrets reports a part of a credential in an answer.
func (g *gates) checkSecrets(a *answer) error {
	text := fmt.Sprint(a.header, a.body)
	if slices.ContainsFunc(g.secrets, func(secret string) bool { return strings.Contains(text, secret) }) {
		return fmt.Errorf("the answer has a part of a credential: %s", text)
	}
	return nil
}

// readLog looks for parts of credentials in what was logged. Records of Caddy's proxy
// at DEBUG about admitted requests do not count.
func (g *gates) readLog() {
	for line := range strings.Lines(g.LogText()) {
		if strings.Contains(line, `"logger":"http.handlers.reverse_proxy"`) {
			continue
		}
		if slices.ContainsFunc(g.secrets, func(secret string) bool { return strings.Contains(line, secret) }) {
			g.t.Errorf("a part of a credential was logged: %s", line)
			return
		}
	}
}

// exchange sends the request of a point from an address of its own.
func (g *gates) exchange(p point, address string) (*answer, error) {
	r, err := g.request(p, address)
	if err != nil {
		return nil, err
	}
	client := g.clients[certificate(p)]
	if p.request == "early" {
		client = &http.Client{Transport: early{}}
	}
	if p.credential == "replayed" {
		first, err := client.Do(r.Clone(r.Context()))
		if err != nil {
			return nil, err
		}
		if err := first.Body.Close(); err != nil {
			return nil, err
		}
	}
	before := g.reached.Load()
	g.user.Store("")
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return &answer{response.StatusCode, response.Header, string(body), g.reached.Load() > before, g.user.Load().(string)}, err
}

// request is the one of a point.
func (g *gates) request(p point, address string) (*http.Request, error) {
	target, method := secure(g.URL(path(p))), http.MethodGet
	if p.option == "handle_errors" {
		target = secure(g.SecondURL(path(p)))
	}
	switch {
	case p.request == "preflight" || p.request == "options":
		method = http.MethodOptions
	case operation(p) != nil:
		method = http.MethodPost
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
	if token, used := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP "); used && p.credential != "unproven" {
		r.Header["Dpop"] = []string{g.holder.proof(g.t, method, target, token)}
	}
	return r, nil
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
		page := ""
		if p.option == "handle_errors" && a.status == http.StatusNotFound {
			page = `{"code":"{http.auth.error}"}` // of the site, which learns nothing of the gate
		}
		if a.body != page {
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
	kind := kinds[p.scheme]
	var all []string
	for _, name := range kind.offered {
		ofToken := name == "Bearer" || name == "DPoP"
		switch {
		case ofToken && (want.status == "400" || want.challenge != "ask" && name == kind.presented):
			all = append(all, name+" "+want.challenge)
		case want.status == "401":
			all = append(all, name)
		}
	}
	if kind.presented == "DPoP" && !slices.Contains([]string{"none", "foreign", "twice"}, p.credential) {
		// The client that came with DPoP finds its challenge first.
		i := slices.IndexFunc(all, func(name string) bool { return strings.HasPrefix(name, "DPoP") })
		if i > 0 {
			all[0], all[i] = all[i], all[0]
		}
	}
	if p.request == "script" {
		if len(all) == 1 && all[0] == "Basic" {
			return []string{"xBasic"}
		}
		return slices.DeleteFunc(all, func(name string) bool { return name == "Basic" })
	}
	return all
}
