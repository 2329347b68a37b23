// Package mcp is what a gate in front of an MCP server does besides OAuth: it
// asks for scopes by the operation of a request, and refuses browsers that
// come from other sites.
package mcp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/origin"
)

// Policy makes a gate one for an MCP server (Model Context Protocol).
//
// Scopes of single operations depend on the body, with `inspect`. Without it they
// depend on the header fields Mcp-Method and Mcp-Name, which repeat the body
// since the revision 2026-07-28. From then on
// servers have to refuse a request whose body says something else; a server
// that does not would let clients around these scopes. With rules and without `inspect` a request of
// an older revision, or of none, is refused with 400: its body could ask for
// anything. So is one whose fields a server could read in another way than the
// gate, one that goes on as a WebSocket or the like, in which anything can be
// asked for later, and CONNECT. GET, HEAD, DELETE and OPTIONS ask for no operation
// and need no more than the gate asks for; they go on without a body, and are 400
// with another method in X-HTTP-Method-Override. Without rules all revisions pass.
//
// A request from a browser is refused with 403 before anything else unless its
// Origin is one of those here, that of the protected resource, or one that the
// site's `auth_cors` trusts with credentials. That keeps other sites from reaching
// a server through somebody's browser (DNS rebinding).
type Policy struct {
	// The origins of browser clients, as browsers send them, such as
	// https://inspector.example.
	Origins []string `json:"origins,omitempty"`

	// Scopes for single operations, besides those of the gate. All rules that
	// match apply.
	Rules []Rule `json:"rules,omitempty"`

	// Reads the body of each request up to this size, in bytes. Rules then hold
	// for the revisions 2025-03-26, 2025-06-18, 2025-11-25 and 2026-07-28, and for
	// every message of a batch of the first. Header fields and body must agree. A
	// larger body is 413. A body that is not strict JSON in UTF-8, that has a
	// repeated member or a content coding, or that takes longer than 30 seconds is
	// 400. The body passes unchanged. Default: bodies are not read.
	BodyLimit uint64 `json:"inspect,omitempty"`

	// `filtered` removes from the answers to tools/list, prompts/list,
	// resources/list and resources/templates/list what the caller lacks a scope
	// for, in JSON and in event streams. An answer that cannot be read is 502: one
	// over 8 MiB, in another media type, or with a content coding. Needs `inspect`
	// and a rule for a name. Default: lists pass unchanged.
	List string `json:"list,omitempty"`
}

// Rule asks for scopes for an operation.
type Rule struct {
	// The method of JSON-RPC, such as tools/call; upper and lower case differ.
	Method string `json:"method"`

	// The name of the tool or prompt, or the URI of the resource, for
	// tools/call, prompts/get and resources/read. A `*` at the end stands for
	// anything. Default: any, also where there is none.
	Name string `json:"name,omitempty"`

	// The scopes that are required.
	Scopes []string `json:"scopes"`
}

// nameMembers are the methods for which Mcp-Name repeats a member of the params.
// For any other method no server compares it, so no rule may depend on it.
var nameMembers = map[string]string{"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

// Check reports what is wrong with the configuration.
func (p *Policy) Check() error {
	for _, allowed := range p.Origins {
		if strings.Contains(allowed, "*") {
			return fmt.Errorf("mcp: the origin %q stands for several: write each one, such as https://inspector.example", allowed)
		}
		if err := origin.Check(allowed); err != nil {
			return fmt.Errorf("mcp: %w", err)
		}
	}
	if p.BodyLimit > maxInspect {
		return fmt.Errorf("mcp: inspect is over %d bytes", maxInspect)
	}
	if err := p.checkList(); err != nil {
		return fmt.Errorf("mcp: %w", err)
	}
	for _, rule := range p.Rules {
		if err := rule.check(); err != nil {
			return fmt.Errorf("mcp: %w", err)
		}
	}
	return nil
}

// filtered is the value of [Policy.List].
const filtered = "filtered"

func (p *Policy) checkList() error {
	switch {
	case p.List == "":
		return nil
	case p.List != filtered:
		return fmt.Errorf("invalid list %q: write `list filtered`", p.List)
	case p.BodyLimit == 0:
		return errors.New("`list filtered` needs the bodies of requests: write for example `inspect 1MiB` as well")
	case !slices.ContainsFunc(p.Rules, func(r Rule) bool { return nameMembers[r.Method] != "" }):
		return errors.New("`list filtered` has nothing to remove: write a line `tool`, `prompt` or `resource`")
	}
	return nil
}

func (r Rule) check() error {
	switch {
	case r.Method == "" || strings.ContainsAny(r.Method, " \t*"):
		return fmt.Errorf("%q is no method: write for example tools/call", r.Method)
	case len(r.Scopes) == 0:
		return fmt.Errorf("%s %s asks for no scope", r.Method, r.Name)
	case strings.Contains(strings.TrimSuffix(r.Name, "*"), "*"):
		return fmt.Errorf("%q: a * stands at the end of a name only", r.Name)
	case r.Name != "" && nameMembers[r.Method] == "":
		return fmt.Errorf("%s has no name to go by: write `method %s <scope>...`", r.Method, r.Method)
	}
	if err := checkText(r.Name); err != nil {
		return fmt.Errorf("%q: %w", r.Name, err)
	}
	for _, scope := range r.Scopes {
		if !authheader.IsScopeToken(scope) {
			return fmt.Errorf("%q is no scope: a scope has no spaces, quotes or backslashes (RFC 6749 §3.3)", scope)
		}
		if scope == "offline_access" {
			return errors.New("offline_access is for the client to ask for, not for a server")
		}
	}
	return nil
}

// Scopes returns all scopes that rules ask for.
func (p *Policy) Scopes() []string {
	if p == nil {
		return nil
	}
	var all []string
	for _, rule := range p.Rules {
		all = append(all, rule.Scopes...)
	}
	return all
}

// Describe says in one line what operations need, such as
// `tools/call delete_*: scope tools:delete`. It is empty without rules.
func (p *Policy) Describe() string {
	if p == nil {
		return ""
	}
	words := make([]string, len(p.Rules))
	for i, rule := range p.Rules {
		words[i] = strings.TrimSpace(rule.Method+" "+rule.Name) + ": scope " + strings.Join(rule.Scopes, " ")
	}
	return strings.Join(words, "; ")
}

// Required returns the scopes for the operation of a request. An error means
// that the request does not say reliably what its operation is, and is 400.
func (p *Policy) Required(r *http.Request) ([]string, error) {
	if !p.restricts() {
		return nil, nil
	}
	if err := checkCarrier(r); err != nil {
		return nil, err
	}
	if slices.Contains(withoutOperation, r.Method) {
		return nil, nil
	}
	asked, err := read(r.Header)
	if _, older := errors.AsType[*RevisionError](err); older && p.BodyLimit > 0 {
		return nil, nil // the body decides
	}
	if err != nil {
		return nil, err
	}
	return p.scopesFor([]operation{asked}), nil
}

// scopesFor returns the scopes for operations.
func (p *Policy) scopesFor(all []operation) (scopes []string) {
	for _, asked := range all {
		for _, rule := range p.Rules {
			if !rule.matches(asked) {
				continue
			}
			for _, scope := range rule.Scopes {
				if !slices.Contains(scopes, scope) {
					scopes = append(scopes, scope)
				}
			}
		}
	}
	return scopes
}

func (r Rule) matches(asked operation) bool {
	if r.Method != asked.method {
		return false
	}
	if prefix, open := strings.CutSuffix(r.Name, "*"); open {
		return strings.HasPrefix(asked.name, prefix)
	}
	return r.Name == "" || r.Name == asked.name
}

// AllowsOrigin reports whether a request may come from where it says, given
// the origin of the resource itself. Without an Origin it comes from no browser.
func (p *Policy) AllowsOrigin(r *http.Request, own string) bool {
	origins := r.Header["Origin"]
	switch len(origins) {
	case 0:
		return true
	case 1:
		return origins[0] != "" && (origins[0] == own || slices.Contains(p.Origins, origins[0]))
	default:
		return false
	}
}
