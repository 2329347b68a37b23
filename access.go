package requireauth

import (
	"context"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/accesstest"
)

// loadForTest loads a configuration for tests of it, with other credentials than
// its own.
func loadForTest(config []byte) (accesstest.Configuration, *accesstest.Credentials, error) {
	var credentials *accesstest.Credentials
	offline, err := loadOffline(config, func(apps object) (err error) {
		credentials, err = accesstest.Replace(apps)
		return err
	})
	return offline, credentials, err
}

// Gates returns the gates of the configuration.
func (x *explainer) Gates() []accesstest.Gate {
	var all []accesstest.Gate
	for gate, where := range x.at {
		all = append(all, accesstest.Gate{
			Where: where, Accepts: namesOf(gate.allSchemes()), Required: gate.describe(), Rules: gate.rules(),
		})
	}
	slices.SortFunc(all, func(a, b accesstest.Gate) int { return strings.Compare(a.Where, b.Where) })
	return all
}

// Decide decides about a request.
func (x *explainer) Decide(ctx context.Context, r accesstest.Request) (accesstest.Result, error) {
	q := question{Method: r.Method, URL: r.URL, Header: r.Header, Body: r.Body, Certificate: r.Certificate}
	explained, err := x.explain(ctx, q)
	if err != nil {
		return accesstest.Result{}, err
	}
	result := accesstest.Result{Reaches: explained.Reaches}
	if explained.Answer != nil {
		result.Status = explained.Answer.Status
	}
	for _, gate := range explained.Gates {
		gateResult := accesstest.GateResult{
			Where: gate.Config, Denied: gate.Decision == denied, Code: string(gate.Code), Reason: gate.Reason, Missing: gate.Missing,
			Met: make(map[string]bool),
		}
		rules := gate.gate.rules()
		for _, check := range gate.Checks {
			if check.Scheme == "" && slices.Contains(rules, check.Check) {
				gateResult.Met[check.Check] = check.Result == trace.OK
			}
		}
		result.Gates = append(result.Gates, gateResult)
	}
	return result, nil
}

// Interface guard
var _ accesstest.Configuration = (*explainer)(nil)
