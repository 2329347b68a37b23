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

// Placeholder names under which a condition reads the caller. They have values only
// during a decision.
const (
	ClaimsPlaceholder = "http.auth.condition.claims"
	ScopesPlaceholder = "http.auth.condition.scopes"
	RolesPlaceholder  = "http.auth.condition.roles"
	UserPlaceholder   = "http.auth.condition.user"
)

// newCondition compiles an expression with Caddy's own matcher, so all its functions
// work here, too. The variables are bound to placeholders around the expression.
func newCondition(ctx caddy.Context, expression string) (*condition, error) {
	// The expression is in brackets of two kinds. An expression with unbalanced
	// brackets matches one kind at most.
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

// check returns nil if the expression is true, and otherwise the reason.
func (c *condition) check(r *http.Request) error {
	match, err := c.matcher.MatchWithError(r)
	if err != nil {
		return fmt.Errorf("the condition failed: %w", err)
	}
	if !match {
		return errFalse
	}
	return nil
}
