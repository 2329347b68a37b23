package apikey

import (
	"errors"

	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// Report returns the number of keys.
func (a *APIKey) Report() report.Report {
	keys := len(a.keys.Load().byDigest)
	return report.Report{APIKeys: &keys}
}

// HasCaller reports whether a key has this id.
func (a *APIKey) HasCaller(id string) (bool, error) {
	keys := a.keys.Load()
	if keys.find(id) != nil {
		return false, errors.New("it is an API key: write the id of the key")
	}
	for _, entry := range keys.byDigest {
		if entry.identity.ID == id {
			return true, nil
		}
	}
	return false, nil
}

// Interface guards
var (
	_ report.Reporter    = (*APIKey)(nil)
	_ capability.Callers = (*APIKey)(nil)
)
