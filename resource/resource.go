// Package resource serves the metadata of protected resources (RFC 9728): the
// documents from which clients, such as those of the Model Context Protocol,
// learn which authorization server issues tokens for a site, and with which
// scopes.
package resource

import (
	"strings"

	"github.com/excorp/caddy-require-auth/resource/facade"
)

// WellKnown is the path under which all documents stand.
const WellKnown = "/.well-known/oauth-protected-resource"

// Resource is something that clients call with access tokens, and about which
// they can ask.
type Resource struct {
	// The URL by which clients call the resource, for example
	// `https://api.example.com/mcp`; it is the identifier that they ask tokens
	// for, and the document repeats it letter by letter. It begins with https
	// (http only for this machine), and has neither fragment nor user name.
	// Required.
	//
	// Write it exactly as clients do, without a slash that they do not send:
	// the strict among them refuse a document whose `resource` is not the URL
	// that they called. Where one document is to cover a whole tree of paths,
	// write the base of the tree; a strict client has to be configured with
	// that base.
	URL string `json:"resource"`

	// The name of the resource, to be shown to people. Default: none.
	Name string `json:"name,omitempty"`

	// The URL of a page for developers. Default: none.
	Documentation string `json:"documentation,omitempty"`

	// The URL of a page about what clients may do with data from the resource.
	// Default: none.
	PolicyURI string `json:"policy_uri,omitempty"`

	// The URL of a page with the terms of service. Default: none.
	TermsURI string `json:"tos_uri,omitempty"`

	// The issuers whose tokens are accepted, each exactly as in the claim `iss`
	// and in the order of preference: many clients take the first. Default:
	// the issuers of the schemes that the gates of this resource accept, in the
	// order of their names. MCP clients can do nothing without one.
	AuthorizationServers []string `json:"authorization_servers,omitempty"`

	// Makes the gate the authorization server of this resource, for a provider that
	// does not register clients. The document then names this server alone. It belongs
	// to the gate, and not to the handler `protected_resource`. Default: none.
	Facade *facade.Facade `json:"authorization_server_facade,omitempty"`

	// The scopes that clients may request. Default: those that the gates of this
	// resource require, without the scopes of single MCP operations, which a
	// client requests when a call needs them. `offline_access` is never published:
	// it is between a client and the authorization server.
	Scopes []string `json:"scopes,omitempty"`
}

// MetadataURL returns where the document of the resource stands, for the
// parameter `resource_metadata` of challenges.
func (r *Resource) MetadataURL() string {
	origin, path, query := r.split()
	return origin + WellKnown + path + query
}

// MetadataPath returns the path of [Resource.MetadataURL] as it stands there,
// with its percent-encodings; that is how Caddy's matcher `path` wants them.
func (r *Resource) MetadataPath() string {
	return WellKnown + r.Path()
}

// Path returns the path of the URL, without a slash that nothing follows.
func (r *Resource) Path() string {
	_, path, _ := r.split()
	return path
}

// Covers reports whether a path is the one of the resource, or below it.
func (r *Resource) Covers(path string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(r.Path(), "/"))
	return found && (rest == "" || rest[0] == '/')
}

// Origin is the scheme and the host that clients see, as written.
func (r *Resource) Origin() string {
	origin, _, _ := r.split()
	return origin
}

// split cuts the URL where the well-known path is inserted (RFC 9728 §3.1),
// without changing a letter, and again before the question mark. Only a slash
// with nothing behind it in the path goes.
func (r *Resource) split() (origin, path, query string) {
	scheme, rest, _ := strings.Cut(r.URL, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	path = rest[end:]
	if mark := strings.IndexByte(path, '?'); mark >= 0 {
		path, query = path[:mark], path[mark:]
	}
	if path == "/" {
		path = ""
	}
	return scheme + "://" + rest[:end], path, query
}
