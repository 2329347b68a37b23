// Package resource serves the metadata of protected resources (RFC 9728). Clients, such
// as those of the Model Context Protocol, read which authorization server issues tokens
// for a site, and with which scopes.
package resource

import (
	"strings"

	"github.com/excorp/caddy-require-auth/resource/facade"
)

// WellKnown is the path of all documents.
const WellKnown = "/.well-known/oauth-protected-resource"

// Resource is a protected resource, which clients call with access tokens.
type Resource struct {
	// The URL by which clients call the resource, for example
	// `https://api.example.com/mcp`. It is the identifier in their requests for tokens,
	// and the document repeats it exactly. It begins with https (http only for this
	// machine), and has neither fragment nor user name. Required.
	//
	// Write it exactly as clients call it, without an additional slash. Strict clients
	// refuse a document whose `resource` is another URL. For a whole tree of paths,
	// write the base of the tree. Strict clients must be configured with that base.
	URL string `json:"resource"`

	// The name of the resource for people. Default: none.
	Name string `json:"name,omitempty"`

	// The URL of a page for developers. Default: none.
	Documentation string `json:"documentation,omitempty"`

	// The URL of a page about what clients may do with data from the resource.
	// Default: none.
	PolicyURI string `json:"policy_uri,omitempty"`

	// The URL of a page with the terms of service. Default: none.
	TermsURI string `json:"tos_uri,omitempty"`

	// The issuers of the accepted tokens, exactly as in the claim `iss`, in the order
	// of preference: many clients use the first. MCP clients need one. Default: the
	// issuers of the schemes that the gates of this resource accept, in the order of
	// their names.
	AuthorizationServers []string `json:"authorization_servers,omitempty"`

	// Makes the gate the authorization server of this resource, for a provider that
	// does not register clients. The document then names this server alone. It belongs
	// to the gate, not to the handler `protected_resource`. Default: none.
	Facade *facade.Facade `json:"authorization_server_facade,omitempty"`

	// The scopes that clients may request. `offline_access` is never published: it
	// concerns only a client and the authorization server. Default: the scopes that the
	// gates of this resource require, without those of MCP operations, which a client
	// requests when a call needs them.
	Scopes []string `json:"scopes,omitempty"`
}

// MetadataURL returns the URL of the resource's document, for the parameter
// `resource_metadata` of challenges.
func (r *Resource) MetadataURL() string {
	origin, path, query := r.split()
	return origin + WellKnown + path + query
}

// MetadataPath returns the path of [Resource.MetadataURL] with its percent-encodings,
// as Caddy's matcher `path` needs it.
func (r *Resource) MetadataPath() string {
	return WellKnown + r.Path()
}

// Path returns the path of the URL, without a slash at its end.
func (r *Resource) Path() string {
	_, path, _ := r.split()
	return path
}

// Covers reports whether a path is that of the resource, or below it.
func (r *Resource) Covers(path string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(r.Path(), "/"))
	return found && (rest == "" || rest[0] == '/')
}

// Origin is the scheme and the host that clients see, as written.
func (r *Resource) Origin() string {
	origin, _, _ := r.split()
	return origin
}

// split cuts the URL at the position of the well-known path (RFC 9728 §3.1), and again
// before the question mark. It changes no letter, and removes only a slash at the end
// of the path.
func (r *Resource) split() (origin, path, query string) {
	scheme, rest, _ := strings.Cut(r.URL, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	path = rest[end:]
	if start := strings.IndexByte(path, '?'); start >= 0 {
		path, query = path[:start], path[start:]
	}
	if path == "/" {
		path = ""
	}
	return scheme + "://" + rest[:end], path, query
}
