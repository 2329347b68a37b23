package authz

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// condition is an expression in Caddy's expression language.
type condition struct{ matcher *caddyhttp.MatchExpression }

// Placeholder names under which a condition reads the caller. They have values
// only while a requirement is decided.
const (
	ClaimsPlaceholder = "http.auth.condition.claims"
	ScopesPlaceholder = "http.auth.condition.scopes"
	RolesPlaceholder  = "http.auth.condition.roles"
	UserPlaceholder   = "http.auth.condition.user"
)

// newCondition compiles an expression. Caddy's matcher is used as it is, so
// that everything it knows works here too; the variables are bound to
// placeholders around the expression.
func newCondition(ctx caddy.Context, expression string) (*condition, error) {
	// Compiled in brackets of two kinds: an expression that closes the ones
	// around it and opens others, by a slip, fits one kind at most.
	var matcher *caddyhttp.MatchExpression
	for _, around := range []string{"[%s\n][0]", "(%s\n)"} {
		matcher = &caddyhttp.MatchExpression{Expr: fmt.Sprintf(
			"cel.bind(claims, dyn({%s}), cel.bind(scopes, dyn({%s}), cel.bind(roles, dyn({%s}), cel.bind(user, dyn({%s}), "+around+"))))",
			ClaimsPlaceholder, ScopesPlaceholder, RolesPlaceholder, UserPlaceholder, expression,
		)}
		if err := matcher.Provision(ctx); err != nil {
			return nil, fmt.Errorf("if %s: %w", expression, err)
		}
	}
	return &condition{matcher: matcher}, nil
}

var errFalse = errors.New("the condition is false")

// met returns nil if the expression is true, and why not otherwise.
func (c *condition) met(r *http.Request) error {
	match, err := c.matcher.MatchWithError(r)
	if err != nil {
		return fmt.Errorf("the condition failed: %w", err)
	}
	if !match {
		return errFalse
	}
	return nil
}
