package requireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
	"github.com/excorp/caddy-require-auth/store"
)

func init() {
	caddy.RegisterModule(new(adminAPI))
}

// adminAPI is the part of Caddy's admin API below /auth/, see
// docs/operations.md. Its answers hold no secret and no credential. Routers are
// made before apps, so the app is looked up for each request.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.auth",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes returns the endpoints. The router answers 405 to other methods.
func (*adminAPI) Routes() []caddy.AdminRoute {
	endpoint := func(pattern string, answer func(*App, *http.Request) (any, error)) caddy.AdminRoute {
		return caddy.AdminRoute{Pattern: pattern, Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			app, err := runningApp()
			if err != nil {
				return apiError(http.StatusNotFound, err)
			}
			response, err := answer(app, r)
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			return json.NewEncoder(w).Encode(response)
		})}
	}
	return []caddy.AdminRoute{
		endpoint("GET /auth/schemes", listSchemes),
		endpoint("GET /auth/schemes/{name}", showScheme),
		endpoint("POST /auth/schemes/{name}/refresh", refreshScheme),
		endpoint("GET /auth/revocations", listRevocations),
		endpoint("POST /auth/revocations", revoke),
		endpoint("DELETE /auth/revocations", undoRevocation),
		endpoint("POST /auth/explain", explainRequest),
		endpoint("GET /auth/report", reportDenials),
	}
}

func apiError(status int, err error) error { return caddy.APIError{HTTPStatus: status, Err: err} }

// runningApp is the app of the running configuration.
func runningApp() (*App, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("auth")
	if err != nil {
		return nil, errors.New("the running configuration has no authentication gate")
	}
	return app.(*App), nil
}

// SchemeList is the answer of `GET /auth/schemes`.
type SchemeList struct {
	// Schemes are all schemes by name, those of the app before those in place.
	Schemes []SchemeStatus `json:"schemes"`
	// Store is where revocations and the like are kept.
	Store StoreStatus `json:"store"`
}

// StoreStatus is what an operator may see of a store.
type StoreStatus struct {
	// Kind is the module: `memory` or `redis`.
	Kind string `json:"kind"`
	// Healthy is false while the shared state is unavailable.
	Healthy bool `json:"healthy"`
}

// SchemeStatus is the answer of `GET /auth/schemes/<name>`.
type SchemeStatus struct {
	// Name is the name of the scheme in gates and logs.
	Name string `json:"name"`
	// Kind is the name of the module, such as `bearer`.
	Kind string `json:"kind"`
	// InPlace reports whether the scheme is declared in a gate, for that gate alone.
	InPlace bool `json:"in_place,omitempty"`
	// Gates are the gates that accept the scheme.
	Gates []GateStatus `json:"gates"`

	report.Report
}

// GateStatus is what an operator may see of a gate.
type GateStatus struct {
	// Config is the path of the gate in Caddy's config API; absent for a gate
	// inside of a handler of another plugin.
	Config string `json:"config,omitempty"`
	// Required is the requirement on an authenticated caller, in one line.
	Required string `json:"required,omitempty"`
	// Optional reports whether anonymous callers pass.
	Optional bool `json:"optional,omitempty"`

	gate *RequireAuth
}

// operator is the view of an app during one request.
type operator struct {
	app *App
	at  map[*RequireAuth]string
}

func viewOf(app *App) operator {
	view := operator{app: app}
	if running, err := caddy.ActiveContext().AppIfConfigured("http"); err == nil {
		view.at = positionsIn(running.(*caddyhttp.App))
	}
	return view
}

func listSchemes(app *App, _ *http.Request) (any, error) {
	view := viewOf(app)
	list := SchemeList{Schemes: []SchemeStatus{}, Store: app.storeStatus()}
	for _, scheme := range app.registry.allSchemes() {
		list.Schemes = append(list.Schemes, view.status(scheme))
	}
	return list, nil
}

func showScheme(app *App, r *http.Request) (any, error) {
	view := viewOf(app)
	scheme, err := view.find(r)
	if err != nil {
		return nil, err
	}
	return view.status(scheme), nil
}

// find returns the scheme that a request names. The parameter `gate` selects one if
// several gates declare a scheme of that name in place.
func (o operator) find(r *http.Request) (declaredScheme, error) {
	var found []declaredScheme
	gate := r.URL.Query().Get("gate")
	for _, scheme := range o.app.registry.allSchemes() {
		if scheme.name == r.PathValue("name") && (gate == "" || scheme.gate != nil && o.at[scheme.gate] == gate) {
			found = append(found, scheme)
		}
	}
	switch len(found) {
	case 0:
		return declaredScheme{}, apiError(http.StatusNotFound, errors.New("scheme not found"))
	case 1:
		return found[0], nil
	default:
		return declaredScheme{}, apiError(http.StatusConflict,
			fmt.Errorf("%d gates have a scheme of that name: add ?gate= and the member config of the gate", len(found)))
	}
}

func (o operator) status(scheme declaredScheme) SchemeStatus {
	status := SchemeStatus{Name: scheme.name, Kind: kindOf(scheme.Scheme), InPlace: scheme.gate != nil, Gates: []GateStatus{}}
	for _, gate := range o.app.registry.gatesOf(scheme.Scheme) {
		one := gate.status()
		one.Config = o.at[gate]
		status.Gates = append(status.Gates, one)
	}
	if reporter, ok := scheme.Scheme.(report.Reporter); ok {
		status.Report = reporter.Report()
	}
	return status
}

func (a *App) storeStatus() StoreStatus {
	status := StoreStatus{Healthy: a.storeHealthy()}
	if module, ok := a.store.(caddy.Module); ok {
		status.Kind = module.CaddyModule().ID.Name()
	}
	return status
}

// storeHealthy reports whether the state is shared with the other instances.
func (a *App) storeHealthy() bool {
	health, ok := a.store.(store.Health)
	return !ok || health.Healthy()
}

// refreshFor bounds the wait for a refresh.
const refreshFor = 30 * time.Second

// refreshScheme fetches the keys of a scheme now.
func refreshScheme(app *App, r *http.Request) (any, error) {
	view := viewOf(app)
	scheme, err := view.find(r)
	if err != nil {
		return nil, err
	}
	refresher, ok := scheme.Scheme.(capability.Refresher)
	if !ok {
		return nil, apiError(http.StatusConflict, capability.ErrNothingToRefresh)
	}
	ctx, cancel := context.WithTimeout(r.Context(), refreshFor)
	defer cancel()
	switch err := refresher.Refresh(ctx); {
	case errors.Is(err, capability.ErrNothingToRefresh):
		return nil, apiError(http.StatusConflict, err)
	case err != nil:
		// The answer of the provider stays in the log.
		return nil, apiError(http.StatusBadGateway, fmt.Errorf("the keys could not be fetched: %s", idp.ReasonOf(err)))
	}
	return view.status(scheme), nil
}

// maxAdminBody bounds the body of a request to the admin API, in bytes.
const maxAdminBody = 64 << 10

// readMembers reads a JSON object of known members.
func readMembers(r *http.Request, names ...string) (map[string]any, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, apiError(http.StatusUnsupportedMediaType, errors.New("invalid Content-Type: send application/json"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAdminBody+1))
	switch {
	case err != nil:
		return nil, apiError(http.StatusBadRequest, errors.New("the body could not be read"))
	case len(body) > maxAdminBody:
		return nil, apiError(http.StatusRequestEntityTooLarge, fmt.Errorf("the body is over %d bytes", maxAdminBody))
	}
	members, err := strictjson.Object(body)
	if repeated, ok := errors.AsType[*strictjson.RepeatedError](err); ok {
		return nil, apiError(http.StatusBadRequest, fmt.Errorf("duplicate member %s", sayable(repeated.Name)))
	}
	if err != nil {
		return nil, apiError(http.StatusBadRequest, fmt.Errorf("invalid JSON object in the body: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			return nil, apiError(http.StatusBadRequest, fmt.Errorf("unrecognized member %s: write %s", sayable(name), strings.Join(names, ", ")))
		}
	}
	return members, nil
}

// sayable is the name of a member for an error, which the log repeats. By mistake the
// name may be a token.
func sayable(name string) string {
	plain := func(c rune) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	if name == "" || len(name) > 24 || strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return "a member with a strange name"
	}
	return name
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
