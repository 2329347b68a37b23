package model

import (
	"net/http"
	"slices"
	"strings"
)

// caller is a caller whom the gates know by the exact text of a credential.
type caller struct {
	user   string
	scopes []string
	roles  []string
}

// carrier is a field with its value, letter by letter.
type carrier struct{ field, value string }

// rule is what a gate of the fuzzed site asks for.
type rule struct {
	accepts  []string // the fields of credentials, and the schemes in Authorization
	scope    string
	second   string // of another gate behind
	role     string
	optional bool
	hide     bool
	hideAll  bool
	inQuery  bool // tokens may stand in the query and in a cookie too
	mcp      bool
}

// rules are the gates by their paths.
var rules = map[string]rule{
	"/bearer":   {accepts: []string{"bearer"}},
	"/basic":    {accepts: []string{"basic"}},
	"/key":      {accepts: []string{"x-api-key"}},
	"/three":    {accepts: []string{"bearer", "basic", "x-api-key"}, scope: "read"},
	"/admin":    {accepts: []string{"bearer", "basic", "x-api-key"}, scope: "admin"},
	"/role":     {accepts: []string{"bearer", "basic", "x-api-key"}, role: "operator"},
	"/optional": {accepts: []string{"bearer", "basic", "x-api-key"}, optional: true},
	"/hide":     {accepts: []string{"bearer"}, scope: "admin", hide: true},
	"/hideall":  {accepts: []string{"bearer"}, scope: "admin", hide: true, hideAll: true},
	"/two":      {accepts: []string{"bearer"}, scope: "read", second: "admin"},
	"/places":   {accepts: []string{"bearer"}, inQuery: true},
	"/mcp":      {accepts: []string{"bearer"}, mcp: true},
}

// verdict lists the statuses that the reference allows, and the users that the upstream
// may see.
type verdict struct {
	statuses []int
	users    []string
}

// decide says what may come of a request. It is written independently of the gate. It
// knows callers only by the exact text of a credential, and denies in doubt.
func decide(r *http.Request, callers map[carrier]caller) verdict {
	gate, guarded := rules[r.URL.Path]
	if !guarded {
		return verdict{statuses: []int{200}, users: []string{""}}
	}
	authorization, keys := r.Header["Authorization"], r.Header["X-Api-Key"]
	if r.Method == http.MethodOptions && len(authorization)+len(keys) == 0 && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0 {
		if gate.inQuery {
			may := gate.decideByLocation(r, callers) // browsers repeat the URL, and send no cookie
			return verdict{statuses: append(may.statuses, 204), users: may.users}
		}
		may := gate.anonymous() // where it is no preflight after all
		return verdict{statuses: append(may.statuses, 204, 401, 403, 404), users: may.users}
	}
	if !slices.Contains(gate.accepts, "x-api-key") {
		keys = nil
	}
	if gate.inQuery {
		return gate.decideByLocation(r, callers)
	}
	if gate.mcp && len(r.Header["Origin"]) > 0 {
		return verdict{statuses: []int{403}}
	}
	if len(authorization)+len(keys) == 0 {
		return gate.anonymous()
	}
	var found []caller
	for _, value := range authorization {
		scheme, _, _ := strings.Cut(strings.ToLower(value), " ")
		if identity, ok := callers[carrier{"authorization", value}]; ok && slices.Contains(gate.accepts, scheme) {
			found = append(found, identity)
		}
	}
	for _, value := range keys {
		if identity, ok := callers[carrier{"x-api-key", value}]; ok && slices.Contains(gate.accepts, "x-api-key") {
			found = append(found, identity)
		}
	}
	switch {
	case len(found) == 0:
		return gate.stranger(authorization, keys)
	case len(authorization)+len(keys) == 1:
		if gate.mcp {
			return gate.decideOperation(r, found[0]).unlessForged(r, gate)
		}
		return gate.authorize(found[0]).unlessForged(r, gate)
	default:
		return gate.crowd(found).unlessForged(r, gate)
	}
}

// anonymous has said nothing.
func (g rule) anonymous() verdict {
	switch {
	case g.optional:
		return verdict{statuses: []int{200}, users: []string{""}}
	case g.hideAll:
		return verdict{statuses: []int{404}}
	default:
		return verdict{statuses: []int{401}}
	}
}

// stranger decides a request with an unknown credential. To an optional gate what is of
// no scheme accepted there is nothing.
func (g rule) stranger(authorization, keys []string) verdict {
	applies := len(authorization) > 1
	for _, value := range authorization {
		scheme, _, _ := strings.Cut(strings.ToLower(value), " ")
		applies = applies || strings.HasPrefix(scheme, "bearer") || strings.HasPrefix(scheme, "basic") || strings.ContainsAny(scheme, ",\t")
	}
	applies = applies || slices.Contains(g.accepts, "x-api-key") && len(keys) > 0
	switch {
	case g.hideAll:
		return verdict{statuses: []int{404}}
	case g.optional && !applies:
		return verdict{statuses: []int{200}, users: []string{""}}
	case g.optional:
		return verdict{statuses: []int{200, 400, 401}, users: []string{""}}
	default:
		return verdict{statuses: []int{400, 401}}
	}
}

// authorize has one good credential and nothing else.
func (g rule) authorize(identity caller) verdict {
	switch {
	case g.scope != "" && !slices.Contains(identity.scopes, g.scope), g.second != "" && !slices.Contains(identity.scopes, g.second), g.role != "" && !slices.Contains(identity.roles, g.role):
		if g.hide {
			return verdict{statuses: []int{404}}
		}
		return verdict{statuses: []int{403}}
	default:
		return verdict{statuses: []int{200}, users: []string{identity.user}}
	}
}

// crowd decides a request with a valid credential among others. An admitted caller must
// be one of those found, and authorized.
func (g rule) crowd(found []caller) verdict {
	all := verdict{statuses: []int{400, 401}}
	if g.hideAll {
		all.statuses = []int{404}
	}
	for _, identity := range found {
		one := g.authorize(identity)
		all.statuses = append(all.statuses, one.statuses...)
		all.users = append(all.users, one.users...)
	}
	return all
}

// unlessForged allows a refusal too where a page of another site may have made
// the browser send what it has kept.
func (v verdict) unlessForged(r *http.Request, g rule) verdict {
	if mode := r.Header["Sec-Fetch-Mode"]; len(mode) == 0 || mode[0] != "navigate" || len(r.Header["Origin"])+len(r.Header["Sec-Fetch-Site"]) == 0 {
		return v
	}
	if g.hide {
		v.statuses = append(v.statuses, http.StatusNotFound)
	} else {
		v.statuses = append(v.statuses, http.StatusForbidden)
	}
	return v
}
