package requireauth

import (
	"github.com/excorp/caddy-require-auth/openapi"
)

// DescribeGate says what the gate asks for, for OpenAPI documents.
func (g *RequireAuth) DescribeGate() openapi.Gate {
	described := openapi.Gate{
		Optional: g.Optional || g.ReportOnly, Silent: g.Hide != "", Hidden: g.Hide == hideAll, Requirement: &g.Requirement,
		Declared: g.OpenAPI != nil,
	}
	for _, scheme := range g.schemes {
		described.Names = append(described.Names, scheme.name)
		described.Schemes = append(described.Schemes, scheme.Scheme)
	}
	return described
}

var _ openapi.GateDescriber = (*RequireAuth)(nil)
