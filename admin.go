package requireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/idp"
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

// Routes returns the endpoints. Another method on one of them is answered 405
// by the router.
func (*adminAPI) Routes() []caddy.AdminRoute {
	endpoint := func(pattern string, answer func(*App, *http.Request) (any, error)) caddy.AdminRoute {
		return caddy.AdminRoute{Pattern: pattern, Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			app, err := runningApp()
			if err != nil {
				return apiError(http.StatusNotFound, err)
			}
			said, err := answer(app, r)
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			return json.NewEncoder(w).Encode(said)
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
	// Kind is the name of the module: `memory` or `redis`.
	Kind string `json:"kind"`
	// Healthy is false while shared state is out of reach.
	Healthy bool `json:"healthy"`
}

// SchemeStatus is the answer of `GET /auth/schemes/<name>`.
type SchemeStatus struct {
	// Name is the name by which gates and logs speak of the scheme.
	Name string `json:"name"`
	// Kind is the name of the module, such as `bearer`.
	Kind string `json:"kind"`
	// InPlace says that the scheme is declared in its gate, for that alone.
	InPlace bool `json:"in_place,omitempty"`
	// Gates are those that accept the scheme.
	Gates []GateStatus `json:"gates"`

	authn.Report
}

// GateStatus is what an operator may see of a gate.
type GateStatus struct {
	// Config is the path of the gate in Caddy's config API; absent for a gate
	// inside of a handler of another plugin.
	Config string `json:"config,omitempty"`
	// Required is what is required of a caller who is known, in one line.
	Required string `json:"required,omitempty"`
	// Optional says that anonymous callers pass.
	Optional bool `json:"optional,omitempty"`

	gate *RequireAuth
}

// operator is the view of an app for the length of one question.
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

// find looks for the scheme that a request names. Several gates may have one of
// the same name in place: then the parameter `gate` says which is meant.
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
		return declaredScheme{}, apiError(http.StatusNotFound, errors.New("no scheme of that name"))
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
	if reporter, ok := scheme.Scheme.(authn.Reporter); ok {
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

// storeHealthy reports whether the state is shared with those it should be.
func (a *App) storeHealthy() bool {
	health, ok := a.store.(authn.StoreHealth)
	return !ok || health.Healthy()
}

// refreshFor bounds how long somebody waits for a refresh.
const refreshFor = 30 * time.Second

// refreshScheme has keys fetched now and tells the outcome.
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
		// What the provider wrote stays in the log.
		return nil, apiError(http.StatusBadGateway, fmt.Errorf("the keys could not be fetched: %s", idp.ReasonOf(err)))
	}
	return view.status(scheme), nil
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
