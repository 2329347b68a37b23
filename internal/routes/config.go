// Package routes analyzes the routes of a Caddy server. It follows every path that a
// request can take. For each handler that answers it lists the requests that reach it,
// and the gates that they pass before.
//
// It has one model of a route tree, [Server], read from JSON or from the modules
// of a server, and one table of handlers. Commands, lint, explain and
// `auth_openapi` use both. It loads no module.
package routes

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Config is the configuration to analyze.
type Config struct {
	Servers []Server
	// Schemes are those that the app `auth` declares, by name.
	Schemes map[string]json.RawMessage
	// Logs are the loggers, by name.
	Logs map[string]json.RawMessage
}

// Server is one HTTP server of the configuration.
type Server struct {
	Name   string
	Listen []string
	Routes []Route
	// Errors are the error routes of the server itself.
	Errors []Route
	Named  map[string]Route
	// TLS says that connections are not plain.
	TLS bool
	// Where is the position in the configuration, as a path of Caddy's admin API.
	Where string
}

// Route is a route: which requests it takes, and what happens to them.
type Route struct {
	Group    string
	Match    Matcher
	Handle   []Handler
	Terminal bool
}

// Handler is a handler of a route.
type Handler struct {
	// Name is the name of the module, such as reverse_proxy.
	Name string
	// Config is the handler as it is configured.
	Config json.RawMessage
	// Routes are those of a subroute, Errors its error routes.
	Routes, Errors []Route
	// Responses are the routes of a proxy or an intercept for the answers of later
	// handlers.
	Responses []Response
	// Where is the position in the configuration.
	Where string
	// Live is the running handler, where there is one.
	Live any
}

// Response says what happens with some answers.
type Response struct {
	// Statuses are those of the answers, or their first digits. An empty list matches all.
	Statuses []int
	// Conditional says that it takes more than the status.
	Conditional bool
	// Handover says that an upstream asks for a file, with a field that no denial has.
	Handover bool
	Routes   []Route
}

// newResponse returns what a matcher of answers means, without its routes.
func newResponse(statuses []int, headers http.Header) Response {
	handover := len(headers["X-Accel-Redirect"])+len(headers["X-Sendfile"]) > 0
	return Response{Statuses: statuses, Conditional: len(headers) > 0, Handover: handover}
}

// takes reports whether denials with a status may be meant.
func (r Response) takes(status int) bool {
	return !r.Handover && (len(r.Statuses) == 0 || slices.Contains(r.Statuses, status) || slices.Contains(r.Statuses, status/100))
}

type responseConfig struct {
	Match struct {
		StatusCode []int       `json:"status_code"`
		Headers    http.Header `json:"headers"`
	} `json:"match"`
	Routes []routeConfig `json:"routes"`
}

type serverConfig struct {
	Listen      []string               `json:"listen"`
	Routes      []routeConfig          `json:"routes"`
	NamedRoutes map[string]routeConfig `json:"named_routes"`
	Errors      *struct {
		Routes []routeConfig `json:"routes"`
	} `json:"errors"`
	TLS       []json.RawMessage `json:"tls_connection_policies"`
	AutoHTTPS *struct {
		Disable bool `json:"disable"`
	} `json:"automatic_https"`
}

type routeConfig struct {
	Group    string            `json:"group"`
	Match    []MatcherSet      `json:"match"`
	Handle   []json.RawMessage `json:"handle"`
	Terminal bool              `json:"terminal"`
}

// Parse reads a configuration in Caddy's JSON.
func Parse(config []byte) (*Config, error) {
	var all struct {
		Logging struct {
			Logs map[string]json.RawMessage `json:"logs"`
		} `json:"logging"`
		Apps struct {
			HTTP struct {
				HTTPPort int                     `json:"http_port"`
				Servers  map[string]serverConfig `json:"servers"`
			} `json:"http"`
			Auth struct {
				Schemes map[string]json.RawMessage `json:"schemes"`
			} `json:"auth"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &all); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	read := &Config{Schemes: all.Apps.Auth.Schemes, Logs: all.Logging.Logs}
	plainPort := all.Apps.HTTP.HTTPPort
	if plainPort == 0 {
		plainPort = 80
	}
	for _, name := range slices.Sorted(maps.Keys(all.Apps.HTTP.Servers)) {
		server, err := all.Apps.HTTP.Servers[name].read(name, plainPort)
		if err != nil {
			return nil, err
		}
		read.Servers = append(read.Servers, server)
	}
	return read, nil
}

// whereIs returns the path of a server in Caddy's admin API.
func whereIs(server string) string { return "/config/apps/http/servers/" + url.PathEscape(server) }

func (c serverConfig) read(name string, plainPort int) (server Server, err error) {
	server = Server{Name: name, Listen: c.Listen, Where: whereIs(name), Named: make(map[string]Route)}
	if server.Routes, err = readRoutes(c.Routes, server.Where+"/routes", 0); err != nil {
		return Server{}, err
	}
	for _, named := range slices.Sorted(maps.Keys(c.NamedRoutes)) {
		routes, err := readRoutes([]routeConfig{c.NamedRoutes[named]}, server.Where+"/named_routes/"+url.PathEscape(named), 0)
		if err != nil {
			return Server{}, err
		}
		server.Named[named] = routes[0]
	}
	if c.Errors != nil {
		if server.Errors, err = readRoutes(c.Errors.Routes, server.Where+"/errors/routes", 0); err != nil {
			return Server{}, err
		}
	}
	server.TLS = len(c.TLS) > 0 || (c.AutoHTTPS == nil || !c.AutoHTTPS.Disable) && namesHosts(server.Routes) && !onlyPort(c.Listen, plainPort)
	return server, nil
}

// namesHosts reports whether automatic HTTPS has a name to get a certificate
// for.
func namesHosts(routes []Route) bool {
	return slices.ContainsFunc(routes, func(r Route) bool {
		return slices.ContainsFunc(r.Match, func(m Region) bool { return len(m.Hosts) > 0 })
	})
}

func onlyPort(listen []string, port int) bool {
	suffix := ":" + strconv.Itoa(port)
	return len(listen) > 0 && !slices.ContainsFunc(listen, func(address string) bool {
		return len(address) < len(suffix) || address[len(address)-len(suffix):] != suffix
	})
}

// maxDepth is how deeply routes may be nested.
const maxDepth = 100

var errTooDeep = errors.New("routes are nested too deeply")

func readRoutes(configs []routeConfig, where string, depth int) ([]Route, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	routes := make([]Route, len(configs))
	for i, config := range configs {
		routes[i] = Route{Group: config.Group, Match: NewMatcher(config.Match), Terminal: config.Terminal}
		for j, raw := range config.Handle {
			handler, err := readHandler(raw, fmt.Sprintf("%s/%d/handle/%d", where, i, j), depth)
			if err != nil {
				return nil, err
			}
			routes[i].Handle = append(routes[i].Handle, handler)
		}
	}
	return routes, nil
}

// ReadHandler reads a handler in Caddy's JSON.
func ReadHandler(raw json.RawMessage, where string) (Handler, error) {
	return readHandler(raw, where, 0)
}

func readHandler(raw json.RawMessage, where string, depth int) (Handler, error) {
	var config struct {
		Handler string        `json:"handler"`
		Routes  []routeConfig `json:"routes"`
		Errors  *struct {
			Routes []routeConfig `json:"routes"`
		} `json:"errors"`
	}
	var named struct {
		Handler string `json:"handler"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return Handler{}, fmt.Errorf("%s: %w", where, err)
	}
	handler := Handler{Name: named.Handler, Config: raw, Where: where}
	if named.Handler == "intercept" || named.Handler == "reverse_proxy" {
		return handler, handler.readResponses(depth)
	}
	if named.Handler != "subroute" {
		return handler, nil // members of the same name mean something else there
	}
	err := json.Unmarshal(raw, &config)
	if err != nil {
		return Handler{}, fmt.Errorf("%s: %w", where, err)
	}
	if handler.Routes, err = readRoutes(config.Routes, where+"/routes", depth+1); err != nil {
		return Handler{}, err
	}
	if config.Errors != nil {
		handler.Errors, err = readRoutes(config.Errors.Routes, where+"/errors/routes", depth+1)
	}
	return handler, err
}

func (h *Handler) readResponses(depth int) error {
	var config struct {
		HandleResponse []responseConfig `json:"handle_response"`
	}
	if err := json.Unmarshal(h.Config, &config); err != nil {
		return fmt.Errorf("%s: %w", h.Where, err)
	}
	for i, one := range config.HandleResponse {
		routes, err := readRoutes(one.Routes, fmt.Sprintf("%s/handle_response/%d/routes", h.Where, i), depth+1)
		if err != nil {
			return err
		}
		response := newResponse(one.Match.StatusCode, one.Match.Headers)
		response.Routes = routes
		h.Responses = append(h.Responses, response)
	}
	return nil
}
