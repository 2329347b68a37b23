// Package mcp is the part of a gate for an MCP server besides OAuth. It requires scopes
// by the operation of a request, and refuses browsers that come from other sites.
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

// Policy configures a gate for an MCP server (Model Context Protocol).
//
// With `inspect`, the gate reads the operations in the body of a request and requires
// their scopes. Without it, the gate reads the header fields Mcp-Method and Mcp-Name,
// which repeat the body since the revision 2026-07-28. Servers of that revision must
// refuse a request whose body differs. A server that does not would let clients bypass
// these scopes.
//
// With rules and without `inspect`, the gate answers 400 to these requests:
//
//   - one of an older revision or without a revision, because its body could request
//     anything;
//   - one with header fields that a server could read otherwise;
//   - CONNECT, and one that becomes a WebSocket or another protocol.
//
// GET, HEAD, DELETE and OPTIONS request no operation and need only the scopes of the
// gate. They pass without a body. With another method in X-HTTP-Method-Override they
// are 400. Without rules all revisions pass.
//
// The gate refuses a request of a browser with 403 if its Origin is not allowed.
// Allowed are the origins of this block, that of the protected resource, and those that
// the site's `auth_cors` trusts with credentials. This stops attacks of other sites
// through a user's browser (DNS rebinding).
type Policy struct {
	// The origins of browser clients, as browsers send them, such as
	// https://inspector.example. Default: none.
	Origins []string `json:"origins,omitempty"`

	// Scopes for operations, in addition to those of the gate. All matching rules
	// apply. Default: none.
	Rules []Rule `json:"rules,omitempty"`

	// Reads the body of each request up to this size, in bytes. The rules then hold for
	// the revisions 2025-03-26, 2025-06-18, 2025-11-25 and 2026-07-28, and for every
	// message of a batch of the first. Header fields and body must agree. A larger body is
	// 413. The gate answers 400 to a body that is not strict JSON in UTF-8, or that has a
	// repeated member or a content coding. A body may take 30 seconds, or it is 400 too.
	// The body passes unchanged. Default: bodies are not read.
	BodyLimit uint64 `json:"inspect,omitempty"`

	// `filtered` removes elements from lists if the caller lacks a scope for them. It
	// applies to tools/list, prompts/list, resources/list and resources/templates/list, in
	// JSON and in event streams. These answers become 502: one over 8 MiB, one in another
	// media type, one with a content coding, and one that cannot be read. Needs `inspect`
	// and a rule for a name. Default: lists pass unchanged.
	List string `json:"list,omitempty"`
}

// Rule requires scopes for an operation.
type Rule struct {
	// The method of JSON-RPC, such as tools/call. Upper and lower case differ.
	// Required.
	Method string `json:"method"`

	// The name of the tool or prompt, or the URI of the resource, for tools/call,
	// prompts/get and resources/read. A `*` at the end matches any text. Default: any
	// name, or none.
	Name string `json:"name,omitempty"`

	// The required scopes. At least one.
	Scopes []string `json:"scopes"`
}

// nameMembers are the methods for which Mcp-Name repeats a member of the params.
// Servers do not compare it for any other method, so no rule may depend on it there.
var nameMembers = map[string]string{"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

// Check validates the configuration.
func (p *Policy) Check() error {
	for _, allowed := range p.Origins {
		if strings.Contains(allowed, "*") {
			return fmt.Errorf("mcp: invalid origin %q: write each origin, such as https://inspector.example", allowed)
		}
		if err := origin.Check(allowed); err != nil {
			return fmt.Errorf("mcp: %w", err)
		}
	}
	if p.BodyLimit > maxInspect {
		return fmt.Errorf("mcp: inspect is over %d bytes: write for example 1MiB", maxInspect)
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
		return fmt.Errorf("invalid method %q: write for example tools/call", r.Method)
	case len(r.Scopes) == 0:
		return fmt.Errorf("%s %s requires no scope: add at least one", r.Method, r.Name)
	case strings.Contains(strings.TrimSuffix(r.Name, "*"), "*"):
		return fmt.Errorf("invalid name %q: write a * at the end only", r.Name)
	case r.Name != "" && nameMembers[r.Method] == "":
		return fmt.Errorf("%s has no name to go by: write `method %s <scope>...`", r.Method, r.Method)
	}
	if err := checkText(r.Name); err != nil {
		return fmt.Errorf("%q: %w", r.Name, err)
	}
	for _, scope := range r.Scopes {
		if !authheader.IsScopeToken(scope) {
			return fmt.Errorf("invalid scope %q: write it without spaces, quotes and backslashes (RFC 6749 §3.3)", scope)
		}
		if scope == "offline_access" {
			return errors.New("a server cannot require offline_access: remove it")
		}
	}
	return nil
}

// Scopes returns all scopes of the rules.
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

// Describe returns the scopes of operations in one line, such as `tools/call delete_*:
// scope tools:delete`. It is empty without rules.
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

// Required returns the scopes for the operation of a request. An error means that the
// operation is ambiguous, and the answer is 400.
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
	op, err := read(r.Header)
	if _, older := errors.AsType[*RevisionError](err); older && p.BodyLimit > 0 {
		return nil, nil // the body decides
	}
	if err != nil {
		return nil, err
	}
	return p.scopesFor([]operation{op}), nil
}

// scopesFor returns the scopes for operations.
func (p *Policy) scopesFor(all []operation) (scopes []string) {
	for _, op := range all {
		for _, rule := range p.Rules {
			if !rule.matches(op) {
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

func (r Rule) matches(op operation) bool {
	if r.Method != op.method {
		return false
	}
	if prefix, open := strings.CutSuffix(r.Name, "*"); open {
		return strings.HasPrefix(op.name, prefix)
	}
	return r.Name == "" || r.Name == op.name
}

// AllowsOrigin reports whether the Origin of a request is allowed, given the origin of
// the resource. A request without an Origin comes from no browser.
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
