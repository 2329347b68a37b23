package authz

import (
	"errors"
	"fmt"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
)

// errOverage names the group overage of Microsoft Entra ID.
var errOverage = errors.New("the provider left the groups out of the token, because the user has too many (_claim_names or hasgroups): emit only groups assigned to the application, or use application roles")

// because returns the reason of a denial for a role, or for the claim at a path. A
// token can declare that the provider left claims out: in `_claim_names` (OpenID
// Connect Core §5.6.2), or in `hasgroups` in the implicit flow. Such a token never
// grants more.
func because(reason string, caller *authn.Identity, path string) error {
	claim, _, _ := strings.Cut(path, ".")
	outside, _ := caller.Claim("_claim_names")
	names, _ := outside.(map[string]any)
	hasGroups, _ := caller.Claim("hasgroups")
	_, named := names[claim]
	switch _, groups := names["groups"]; {
	case (claim == "" || claim == "groups") && (groups || hasGroups == true || hasGroups == "true"):
		return fmt.Errorf("%s: %w", reason, errOverage)
	case named:
		return fmt.Errorf("%s: the token does not contain it, because the provider has it elsewhere (_claim_names)", reason)
	}
	return errors.New(reason)
}
