package routes

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Kind is what a handler does with a request.
type Kind string

// The kinds of handlers.
const (
	// Passes: it does its part and hands the request on.
	Passes Kind = "passes"
	// Guards: it lets only some requests pass.
	Guards Kind = "guards"
	// Answers: it answers with content.
	Answers Kind = "answers"
	// Refuses: it answers with an error or closes the connection.
	Refuses Kind = "refuses"
	// Redirects: it answers that the content is elsewhere.
	Redirects Kind = "redirects"
	// Publishes: it answers with what a specification wants to be public.
	Publishes Kind = "publishes"
)

// module is what is known of a handler.
type module struct {
	kind func(Handler) Kind
	// safe says that a dry run may run it: it decides, changes the request, or writes an
	// answer from the configuration.
	safe bool
}

// modules are the handlers of Caddy and of this plugin: the one table for all
// commands and for `auth_openapi`. Any other handler is taken to hand requests
// on; where nothing else answers, it is what answers.
var modules = map[string]module{
	"reverse_proxy": {kind: kindOfProxy},
	"file_server":   {kind: always(Answers)},
	"metrics":       {kind: always(Answers)},
	"acme_server":   {kind: always(Answers)},
	"copy_response": {kind: always(Answers)},

	"static_response":    {kind: kindOfResponse, safe: true},
	"error":              {kind: always(Refuses), safe: true},
	"require_auth":       {kind: always(Guards), safe: true},
	"authentication":     {kind: always(Guards)},
	"protected_resource": {kind: always(Publishes), safe: true},
	"auth_jwks":          {kind: always(Publishes), safe: true},

	"auth_events": {kind: always(Publishes)}, // it accepts what is signed, and nothing else

	"auth_cors": {kind: always(Passes), safe: true},
	"headers":   {kind: always(Passes), safe: true},
	"invoke":    {kind: always(Passes), safe: true},
	"map":       {kind: always(Passes), safe: true},
	"rewrite":   {kind: always(Passes), safe: true},
	"subroute":  {kind: always(Passes), safe: true},
	"vars":      {kind: always(Passes), safe: true},

	"auth_openapi":          {kind: always(Passes)},
	"copy_response_headers": {kind: always(Passes)},
	"encode":                {kind: always(Passes)},
	"intercept":             {kind: always(Passes)},
	"log_append":            {kind: always(Passes)},
	"push":                  {kind: always(Passes)},
	"request_body":          {kind: always(Passes)},
	"templates":             {kind: always(Passes)},
	"timeouts":              {kind: always(Passes)},
	"tracing":               {kind: always(Passes)},
}

func always(kind Kind) func(Handler) Kind { return func(Handler) Kind { return kind } }

// Kind returns the kind of the handler.
func (h Handler) Kind() Kind {
	if module, ok := modules[h.Name]; ok {
		return module.kind(h)
	}
	return Passes
}

// Known reports whether it is known what the handler does.
func (h Handler) Known() bool {
	_, ok := modules[h.Name]
	return ok
}

// Safe reports whether a dry run may run the handler.
func (h Handler) Safe() bool { return modules[h.Name].safe }

// kindOfProxy recognizes what the directive forward_auth becomes: a proxy that
// asks another server, and hands the request on if that says yes.
func kindOfProxy(h Handler) Kind {
	var proxy struct {
		Rewrite        rewriting `json:"rewrite"`
		HandleResponse []struct {
			Match struct {
				StatusCode []int `json:"status_code"`
			} `json:"match"`
		} `json:"handle_response"`
	}
	if json.Unmarshal(h.Config, &proxy) != nil || proxy.Rewrite.Method != http.MethodGet {
		return Answers
	}
	for _, response := range proxy.HandleResponse {
		if slices.Equal(response.Match.StatusCode, []int{2}) {
			return Guards
		}
	}
	return Answers
}

func kindOfResponse(h Handler) Kind {
	var response struct {
		Status json.RawMessage `json:"status_code"`
		Abort  bool            `json:"abort"`
	}
	if json.Unmarshal(h.Config, &response) != nil {
		return Answers
	}
	status, err := strconv.Atoi(strings.Trim(string(response.Status), `"`))
	switch {
	case response.Abort, err == nil && status >= 400:
		return Refuses
	case err == nil && status >= 300:
		return Redirects
	}
	return Answers
}

// goesOn reports whether a handler that answers hands some requests on.
func (h Handler) goesOn() bool {
	var config struct {
		PassThru       bool              `json:"pass_thru"`
		HandleResponse []json.RawMessage `json:"handle_response"`
	}
	if json.Unmarshal(h.Config, &config) != nil {
		return false
	}
	return h.Name == "file_server" && config.PassThru || h.Name == "reverse_proxy" && len(config.HandleResponse) > 0 ||
		h.Name == "protected_resource" || h.Name == "auth_jwks"
}

// rewriting returns how a handler changes the path, for itself or for those
// behind it.
func (h Handler) rewriting() (r rewriting, changes bool) {
	switch h.Name {
	case "rewrite":
		changes = json.Unmarshal(h.Config, &r) == nil
	case "reverse_proxy":
		var proxy struct {
			Rewrite *rewriting `json:"rewrite"`
		}
		if json.Unmarshal(h.Config, &proxy) == nil && proxy.Rewrite != nil {
			r, changes = *proxy.Rewrite, true
		}
	}
	return r, changes
}

// Target says what answers, with where it leads to.
func (h Handler) Target() string {
	var config struct {
		Upstreams []struct {
			Dial string `json:"dial"`
		} `json:"upstreams"`
		Status json.RawMessage `json:"status_code"`
		Root   string          `json:"root"`
	}
	words := []string{h.Name}
	if json.Unmarshal(h.Config, &config) == nil {
		for _, upstream := range config.Upstreams {
			words = append(words, upstream.Dial)
		}
		if h.Name == "static_response" || h.Name == "error" {
			words = append(words, strings.Trim(string(config.Status), `"`))
		}
		words = append(words, config.Root)
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// Gate is a handler that guards.
type Gate struct {
	// Handler is its name: require_auth, or what does the same work for Caddy.
	Handler string
	// Schemes are the schemes that it accepts.
	Schemes []string
	// Optional gates let callers without credentials pass.
	Optional bool
	// ReportOnly gates let every request pass.
	ReportOnly bool
	Config     json.RawMessage
	Where      string
	Live       any
}

// gate understands a handler that guards. A gate that names no scheme means
// its own, or all that are declared.
func (c *Config) gate(h Handler) Gate {
	gate := Gate{Handler: h.Name, Config: h.Config, Where: h.Where, Live: h.Live}
	var config struct {
		Schemes   []string                   `json:"schemes"`
		Inline    map[string]json.RawMessage `json:"inline"`
		Optional  bool                       `json:"optional"`
		Report    bool                       `json:"report_only"`
		Providers map[string]json.RawMessage `json:"providers"`
	}
	if json.Unmarshal(h.Config, &config) != nil {
		return gate
	}
	gate.Optional, gate.ReportOnly = config.Optional, config.Report
	gate.Schemes = config.Schemes
	for _, name := range slices.Sorted(maps.Keys(config.Inline)) {
		if !slices.Contains(gate.Schemes, name) {
			gate.Schemes = append(slices.Clip(gate.Schemes), name)
		}
	}
	switch {
	case h.Name == "authentication":
		gate.Schemes = slices.Sorted(maps.Keys(config.Providers))
	case h.Name == "reverse_proxy":
		gate.Handler = "forward_auth"
	case len(gate.Schemes) == 0:
		gate.Schemes = slices.Sorted(maps.Keys(c.Schemes))
	}
	return gate
}
