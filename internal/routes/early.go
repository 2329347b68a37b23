package routes

import (
	"encoding/json"
	"slices"
	"strings"
)

// identity is how the placeholders begin that a gate fills.
const identity = "{http.auth."

// late are the handlers that fill placeholders when the answer comes, or hold
// other handlers.
var late = []string{"subroute", "intercept", "log_append", "map", "require_auth", "reverse_proxy"}

// usesIdentity reports whether a handler fills a placeholder of the caller before
// it hands a request on.
func (h Handler) usesIdentity() bool {
	if slices.Contains(late, h.Name) || !strings.Contains(string(h.Config), identity) {
		return false
	}
	var headers struct {
		Response struct {
			Deferred bool `json:"deferred"`
		} `json:"response"`
	}
	return h.Name != "headers" || json.Unmarshal(h.Config, &headers) != nil || !headers.Response.Deferred
}

// noteEarly notes a handler that uses the caller where no gate was passed.
func (w *walker) noteEarly(h Handler, ways []state) {
	if w.status != 0 || !h.usesIdentity() {
		return
	}
	for _, way := range ways {
		if len(way.gates) == 0 {
			w.Early = append(w.Early, PlacedHandler{Handler: h, Scope: way.region})
			return
		}
	}
}

// Directive is what a handler is called in a Caddyfile, as far as its names
// differ.
func (h Handler) Directive() []string {
	var config struct {
		Root    *string         `json:"root"`
		Request json.RawMessage `json:"request"`
	}
	_ = json.Unmarshal(h.Config, &config)
	switch {
	case h.Name == "vars" && config.Root != nil:
		return []string{"root"}
	case h.Name == "static_response" && h.Kind() == Redirects:
		return []string{"redir", "respond"}
	case h.Name == "static_response":
		return []string{"respond"}
	case h.Name == "reverse_proxy":
		return []string{"reverse_proxy", "php_fastcgi"}
	case h.Name == "headers" && config.Request != nil:
		return []string{"request_header", "header"}
	case h.Name == "headers":
		return []string{"header"}
	case h.Name == "rewrite":
		return []string{"rewrite", "uri", "method"}
	}
	return []string{h.Name}
}

// Texts returns the texts in a handler that use the caller.
func (h Handler) Texts() (all []string) {
	var config any
	_ = json.Unmarshal(h.Config, &config)
	var collect func(value any)
	collect = func(value any) {
		switch value := value.(type) {
		case string:
			if strings.Contains(value, identity) {
				all = append(all, value)
			}
		case []any:
			for _, member := range value {
				collect(member)
			}
		case map[string]any:
			for _, member := range value {
				collect(member)
			}
		}
	}
	collect(config)
	slices.Sort(all)
	return all
}
