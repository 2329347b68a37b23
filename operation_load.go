package requireauth

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	oas "github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/pathtemplate"
)

// useDocument makes a document the one that the gate goes by.
func (g *RequireAuth) useDocument(api *oas.API) error {
	schemes, err := g.schemesOf(api)
	if err != nil {
		return err
	}
	loaded := &operations{tree: new(pathtemplate.Tree[*operation])}
	every := part{schemes: g.allSchemes(), groups: g.groups, required: &g.Requirement}
	undeclared := &access{schemes: every.schemes, groups: every.groups, single: every, required: &g.Requirement}
	undeclared.ways = []way{{parts: []part{every}, required: &g.Requirement}}
	loaded.undeclared = &operation{access: undeclared}
	loaded.rules = g.Requirement.Rules()
	prepared := make(map[*oas.Security]*access)
	for _, declared := range api.Operations {
		name := declared.Method + " " + declared.Path
		if prepared[declared.Security] == nil {
			if prepared[declared.Security], err = g.newAccess(declared.Security, schemes); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			g.warnWeaker(name, declared.Security)
			loaded.addRequirements(prepared[declared.Security])
		}
		if err := loaded.tree.Add(declared.Method, declared.Path, &operation{name: name, access: prepared[declared.Security]}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if !slices.ContainsFunc(api.Operations, func(one oas.DeclaredOperation) bool { return !prepared[one.Security].public }) {
		g.logger.Warn("openapi: the document requires nothing: each of its operations is public", zap.Int("operations", len(api.Operations)))
	}
	g.operations.Store(loaded)
	return nil
}

// newAccess returns what an operation requires, given the schemes of the gate for
// those of the document.
func (g *RequireAuth) newAccess(security *oas.Security, schemes map[string][]*namedScheme) (*access, error) {
	plain := len(g.Requirement.Rules()) == 0
	result := &access{required: &g.Requirement}
	if len(security.Alternatives) == 0 {
		if result.public = plain; plain {
			return result, nil
		}
		security = &oas.Security{Alternatives: []oas.Combination{nil}}
	}
	var single []*namedScheme
	for _, combination := range security.Alternatives {
		one, err := g.newWay(combination, schemes)
		if err != nil {
			return nil, err
		}
		for _, part := range one.parts {
			result.schemes = append(result.schemes, part.schemes...)
		}
		switch len(one.parts) {
		case 0:
			if result.anonymous = plain; !plain {
				result.schemes, single = append(result.schemes, g.allSchemes()...), append(single, g.allSchemes()...)
			}
		case 1:
			single = append(single, one.parts[0].schemes...)
		default:
			result.combines = true
		}
		if result.ways = append(result.ways, one); len(result.ways) == 1 {
			result.required = one.required
		}
	}
	result.schemes = g.inOrder(result.schemes)
	result.groups = groupSchemes(result.schemes)
	single = g.inOrder(single)
	result.single = part{schemes: single, groups: groupSchemes(single)}
	return result, nil
}

// addRequirements adds what an operation requires to the rules and the scopes of all.
func (o *operations) addRequirements(a *access) {
	for _, way := range a.ways {
		for _, part := range way.parts {
			o.scopes = append(o.scopes, part.required.ChallengeScopes()...)
			for _, rule := range part.required.Rules() {
				if !slices.Contains(o.rules, rule) {
					o.rules = append(o.rules, rule)
				}
			}
		}
	}
}

// newWay returns an alternative. Its parts are in the order of the gate's schemes.
func (g *RequireAuth) newWay(combination oas.Combination, schemes map[string][]*namedScheme) (way, error) {
	one := way{required: &g.Requirement}
	type need struct {
		schemes []*namedScheme
		oas.Credential
	}
	var needs []need
	for _, credential := range combination {
		accepted := schemes[credential.Scheme]
		i := slices.IndexFunc(needs, func(n need) bool { return slices.Equal(n.schemes, accepted) })
		if i < 0 {
			needs = append(needs, need{accepted, credential})
			continue
		}
		needs[i].Scopes = slices.Concat(needs[i].Scopes, credential.Scopes) // one credential meets both
		needs[i].Roles = slices.Concat(needs[i].Roles, credential.Roles)
	}
	order := g.allSchemes()
	slices.SortStableFunc(needs, func(a, b need) int {
		return slices.Index(order, a.schemes[0]) - slices.Index(order, b.schemes[0])
	})
	for i, need := range needs {
		base := new(authz.Requirement)
		if i == 0 {
			base = &g.Requirement
		}
		required, err := base.Plus(need.Scopes, need.Roles, g.app.ScopeImplies)
		if err != nil {
			return one, err
		}
		if i == 0 {
			one.required = required
		}
		one.parts = append(one.parts, part{schemes: need.schemes, groups: groupSchemes(need.schemes), required: required})
	}
	return one, nil
}

// inOrder returns each scheme once, in the order of the gate.
func (g *RequireAuth) inOrder(schemes []*namedScheme) []*namedScheme {
	return slices.DeleteFunc(g.allSchemes(), func(scheme *namedScheme) bool { return !slices.Contains(schemes, scheme) })
}

// warnWeaker warns of an alternative that makes another one of the same scheme
// pointless. FastAPI lists dependencies in this way, and requires all of them.
func (g *RequireAuth) warnWeaker(operation string, security *oas.Security) {
	for i, one := range security.Alternatives {
		for _, other := range security.Alternatives[i+1:] {
			if len(one) == 1 && len(other) == 1 && one[0].Scheme == other[0].Scheme {
				g.logger.Warn("openapi: a scheme is its own alternative: the one with fewer scopes counts; write `alternatives all` if all must hold, as with FastAPI",
					zap.String("operation", operation), zap.String("scheme", one[0].Scheme))
				return
			}
		}
	}
}

// schemesOf returns the schemes of the gate that count for each security scheme of a
// document.
func (g *RequireAuth) schemesOf(api *oas.API) (map[string][]*namedScheme, error) {
	found := make(map[string][]*namedScheme)
	unmatched := make(map[string][]string) // names by how the credential is sent
	for _, name := range slices.Sorted(maps.Keys(g.OpenAPI.Schemes)) {
		if _, used := api.Schemes[name]; !used {
			return nil, fmt.Errorf("scheme %s: no operation of the document uses it", name)
		}
		for _, schemeName := range g.OpenAPI.Schemes[name] {
			scheme := g.schemeNamed(schemeName)
			if scheme == nil {
				return nil, fmt.Errorf("scheme %s: the gate has no scheme %s", name, schemeName)
			}
			found[name] = append(found[name], scheme)
		}
		found[name] = g.inOrder(found[name])
	}
	for _, name := range slices.Sorted(maps.Keys(api.Schemes)) {
		declared := api.Schemes[name]
		scheme := g.schemeNamed(name)
		switch {
		case found[name] != nil:
		case scheme == nil:
			unmatched[declared.Carrier] = append(unmatched[declared.Carrier], name)
		case !carries(scheme, declared.Carrier):
			return nil, fmt.Errorf("%s: the scheme %s of the gate takes another kind of credential: write `scheme %s <scheme>`", declared.Position, name, name)
		default:
			found[name] = []*namedScheme{scheme}
		}
	}
	return found, g.addByCarrier(found, unmatched, api)
}

var errAmbiguousScheme = errors.New("it is unclear which scheme of the gate counts")

// addByCarrier adds the security schemes that have no scheme of their name: all
// schemes that take such a credential count.
func (g *RequireAuth) addByCarrier(found map[string][]*namedScheme, unmatched map[string][]string, api *oas.API) error {
	used := slices.Concat(slices.Collect(maps.Values(found))...)
	for _, carrier := range slices.Sorted(maps.Keys(unmatched)) {
		names := unmatched[carrier]
		fitting := slices.DeleteFunc(g.allSchemes(), func(s *namedScheme) bool { return !carries(s, carrier) })
		free := slices.DeleteFunc(slices.Clone(fitting), func(s *namedScheme) bool { return slices.Contains(used, s) })
		switch position := api.Schemes[names[0]].Position; {
		case len(fitting) == 0:
			return fmt.Errorf("%s: no scheme of the gate takes such a credential (%s): write `scheme %s <scheme>`", position, carrier, names[0])
		case len(fitting) == 1:
			free = fitting
		case len(names) > 1 || len(free) == 0:
			return fmt.Errorf("%s: %w: write `scheme %s <scheme>`", position, errAmbiguousScheme, names[0])
		}
		for _, name := range names {
			found[name] = free
		}
	}
	return nil
}

func (g *RequireAuth) schemeNamed(name string) *namedScheme {
	for i := range g.schemes {
		if g.schemes[i].name == name {
			return &g.schemes[i]
		}
	}
	return nil
}

// carries reports whether a scheme takes credentials that are sent in a way, see
// [oas.Carrier]. A scheme that cannot say so takes none.
func carries(scheme *namedScheme, carrier string) bool {
	describer, ok := scheme.Scheme.(authn.SecuritySchemer)
	return ok && slices.ContainsFunc(describer.SecuritySchemes(), func(s authn.SecurityScheme) bool {
		own := oas.CarrierOf(s.Type, s.Scheme, string(s.Kind), s.Name)
		return own == carrier || own == "http dpop" && carrier == "http bearer" // OAuth 2.0 does not say which
	})
}
