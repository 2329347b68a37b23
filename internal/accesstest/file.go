// Package accesstest runs a file of access tests against a configuration: which caller
// may send which request, and what the others get.
package accesstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// Caller is the sender of a request.
type Caller struct {
	// Scheme is the scheme of the caller's credential. It is empty for an anonymous
	// caller.
	Scheme string
	// User is the user of a token or of a Basic scheme, or the id of an API key.
	User          string
	isKey         bool // whether User is the id of an API key
	Scopes, Roles []string
	Claims        map[string]any
}

// Case is one request and its expected answer.
type Case struct {
	// Position is file:line.
	Position string
	// Name is the caller, the method and the target.
	Name    string
	Caller  Caller
	Request Request
	Want    Expectation
}

// Request is a request without the credential of its caller.
type Request struct {
	Method, URL, Body, Certificate string
	Header                         http.Header
}

// Expectation is the expected answer.
type Expectation struct {
	// Status is the status of the answer. It is 0 for a request that passes.
	Status int
	// Code is the expected code of the denial. Empty: any code.
	Code string
	// Missing is what the caller lacks. Empty: anything.
	Missing []string
}

// parser reads a file of access tests. The syntax is that of a Caddyfile.
type parser struct {
	*caddyfile.Dispenser
	file    string
	lines   []string
	site    *url.URL
	callers map[string]Caller
	cases   []Case
}

// Parse reads a file of access tests. Errors name the line and the column.
func Parse(file string, content []byte) ([]Case, error) {
	tokens, err := caddyfile.Tokenize(content, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p := &parser{
		Dispenser: caddyfile.NewDispenser(tokens), file: file, lines: strings.Split(string(content), "\n"),
		callers: map[string]Caller{"anonymous": {}},
	}
	for p.Next() {
		switch word := p.Val(); word {
		case "site":
			err = p.readSite()
		case "caller":
			err = p.readCaller()
		default:
			err = p.readCase(word)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(p.cases) == 0 {
		return nil, fmt.Errorf("%s: no cases: write lines such as `anonymous GET /me 401`", file)
	}
	return p.cases, nil
}

// errorf returns an error about the current word.
func (p *parser) errorf(format string, arguments ...any) error {
	line, column := p.Line(), 1
	if line >= 1 && line <= len(p.lines) {
		word := regexp.MustCompile(`(?:^|\s)(` + regexp.QuoteMeta(p.Val()) + `)(?:\s|$)`)
		if found := word.FindStringSubmatchIndex(p.lines[line-1]); found != nil {
			column = found[2] + 1
		}
	}
	return fmt.Errorf("%s:%d:%d: %s", p.file, line, column, fmt.Sprintf(format, arguments...))
}

// readSite reads `site <URL>`, the base of the paths in the following cases.
func (p *parser) readSite() error {
	if !p.NextArg() {
		return p.errorf("site: write a URL such as https://api.example.com")
	}
	site, err := url.Parse(p.Val())
	if err != nil || site.Host == "" || site.Scheme != "http" && site.Scheme != "https" {
		return p.errorf("site: invalid URL: write one such as https://api.example.com")
	}
	p.site = site
	return p.end()
}

func (p *parser) end() error {
	if p.NextArg() {
		return p.errorf("unexpected word %q", p.Val())
	}
	return nil
}

// readCaller reads `caller <name> <scheme> { … }`.
func (p *parser) readCaller() error {
	var name string
	caller := Caller{Claims: make(map[string]any)}
	if !p.Args(&name, &caller.Scheme) {
		return p.errorf("caller: write `caller <name> <scheme>`")
	}
	if _, declared := p.callers[name]; declared || name == "site" || name == "caller" {
		return p.errorf("caller %s: duplicate name", name)
	}
	if err := p.end(); err != nil {
		return err
	}
	p.callers[name] = caller
	return p.block(func() error { return p.readMember(name) })
}

// block reads the lines of a block, if there is a block.
func (p *parser) block(read func() error) error {
	nesting := p.Nesting()
	for p.NextBlock(nesting) {
		if err := read(); err != nil {
			return err
		}
	}
	if p.Nesting() != nesting {
		return p.errorf("the block has no closing brace")
	}
	return nil
}

func (p *parser) readMember(name string) error {
	caller := p.callers[name]
	defer func() { p.callers[name] = caller }()
	switch word := p.Val(); word {
	case "user", "key":
		if !p.Args(&caller.User) {
			return p.errorf("%s: one name is needed", word)
		}
		caller.isKey = word == "key"
		return p.end()
	case "scope":
		caller.Scopes = append(caller.Scopes, p.RemainingArgs()...)
	case "role":
		caller.Roles = append(caller.Roles, p.RemainingArgs()...)
	case "claim":
		var path, text string
		if !p.Args(&path, &text) {
			return p.errorf("claim: write `claim <path> <value>`")
		}
		if !setClaim(caller.Claims, path, claimValue(text)) {
			return p.errorf("claim %s: another claim has a value that is not an object there", path)
		}
		return p.end()
	default:
		return p.errorf("unrecognized word %q: write user, key, scope, role or claim", word)
	}
	return nil
}

// claimValue returns the value of a text: a time relative to now, such as now-5m, JSON,
// or else the text itself.
func claimValue(text string) (value any) {
	if offset, relative := strings.CutPrefix(text, "now"); relative {
		if duration, err := time.ParseDuration(cmp.Or(offset, "0s")); err == nil {
			return time.Now().Add(duration).Unix()
		}
	}
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}

// setClaim sets the claim at a path such as realm_access.roles. A name with a colon,
// such as https://example.com/roles, is not a path.
func setClaim(claims map[string]any, path string, value any) bool {
	name, rest, nested := strings.Cut(path, ".")
	if !nested || strings.Contains(path, ":") {
		claims[path] = value
		return true
	}
	if claims[name] == nil {
		claims[name] = make(map[string]any)
	}
	inner, ok := claims[name].(map[string]any)
	return ok && setClaim(inner, rest, value)
}

// readCase reads `<caller> <method> <target> <expectation>`.
func (p *parser) readCase(name string) error {
	caller, found := p.callers[name]
	if !found {
		return p.errorf("unrecognized word %q: write site, caller, or the name of a caller that is declared above", name)
	}
	read := Case{Position: fmt.Sprintf("%s:%d", p.file, p.Line()), Caller: caller, Request: Request{Header: make(http.Header)}}
	var target string
	if !p.Args(&read.Request.Method, &target) {
		return p.errorf("%s: write `%s <method> <target> <expectation>`", name, name)
	}
	read.Name = name + " " + read.Request.Method + " " + target
	var err error
	if read.Request.URL, err = p.target(target); err != nil {
		return err
	}
	if read.Want, err = p.readExpectation(); err != nil {
		return err
	}
	err = p.block(func() error { return p.readPart(&read.Request) })
	p.cases = append(p.cases, read)
	return err
}

func (p *parser) target(text string) (string, error) {
	if !strings.HasPrefix(text, "/") {
		if parsed, err := url.Parse(text); err != nil || parsed.Host == "" {
			return "", p.errorf("%s: write a path that begins with a slash, or a URL", text)
		}
		return text, nil
	}
	if p.site == nil {
		return "", p.errorf("%s: write `site <URL>` above, or the whole URL here", text)
	}
	return p.site.Scheme + "://" + p.site.Host + text, nil
}

// readExpectation reads `pass`, or `<status> [<code> [<missing>…]]`.
func (p *parser) readExpectation() (want Expectation, err error) {
	if !p.NextArg() {
		return want, p.errorf("no expectation: write pass, or a status such as 401")
	}
	if p.Val() == "pass" {
		return want, p.end()
	}
	status, err := strconv.Atoi(p.Val())
	if err != nil || status < 200 || status > 599 {
		return want, p.errorf("unrecognized expectation %q: write pass, or a status such as 401", p.Val())
	}
	want.Status = status
	if p.NextArg() {
		if want.Code = p.Val(); !authn.Code(want.Code).Known() {
			return want, p.errorf("unknown code %q", want.Code)
		}
	}
	want.Missing = p.RemainingArgs()
	return want, nil
}

// readPart reads a line in the block of a case.
func (p *parser) readPart(r *Request) error {
	var first, second string
	switch word := p.Val(); word {
	case "header":
		if !p.Args(&first, &second) {
			return p.errorf("header: write `header <name> <value>`")
		}
		r.Header.Add(first, second)
	case "body":
		if !p.Args(&r.Body) {
			return p.errorf("body: one word is needed; quote it, or write a heredoc")
		}
	case "certificate":
		if !p.Args(&first) {
			return p.errorf("certificate: a file is needed")
		}
		if !filepath.IsAbs(first) {
			first = filepath.Join(filepath.Dir(p.file), first)
		}
		content, err := textfile.Read(first)
		if err != nil {
			return p.errorf("certificate: %v", err)
		}
		r.Certificate = string(content)
	default:
		return p.errorf("unrecognized word %q: write header, body or certificate", word)
	}
	return p.end()
}
