package accesstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Gate is a gate of a configuration.
type Gate struct {
	// Where is its path in Caddy's config API.
	Where string
	// Accepts are its schemes, and Required is its requirement.
	Accepts  []string
	Required string
	// Rules are the parts of its requirement, such as scope.
	Rules []string
}

// Result is the result of a request.
type Result struct {
	// Gates are the decisions of the gates, in order.
	Gates []GateResult
	// Reaches is the handler that would have answered.
	Reaches string
	// Status is the status of the answer. It is 0 if Reaches would have answered.
	Status int
}

// GateResult is the decision of a gate.
type GateResult struct {
	Where  string
	Denied bool
	// Code, Missing and Reason are the cause of a denial.
	Code, Reason string
	Missing      []string
	// Met is, for each evaluated rule, whether the caller meets it.
	Met map[string]bool
}

// Configuration decides about requests with the code of a running server.
type Configuration interface {
	Gates() []Gate
	Decide(context.Context, Request) (Result, error)
}

// Outcome is the result of a case.
type Outcome struct {
	Name     string `json:"name"`
	Position string `json:"position"`
	// Failure is the difference between the answer and the expectation, or empty.
	Failure string        `json:"failure,omitempty"`
	Elapsed time.Duration `json:"elapsed"`

	result Result
}

// Run runs cases.
func Run(ctx context.Context, config Configuration, credentials *Credentials, cases []Case) []Outcome {
	outcomes := make([]Outcome, len(cases))
	for i, one := range cases {
		began := time.Now()
		outcomes[i] = Outcome{Name: one.Name, Position: one.Position}
		result, err := decide(ctx, config, credentials, one)
		if err != nil {
			outcomes[i].Failure = err.Error()
		} else {
			outcomes[i].Failure, outcomes[i].result = one.Want.compare(result), result
		}
		outcomes[i].Elapsed = time.Since(began)
	}
	return outcomes
}

func decide(ctx context.Context, config Configuration, credentials *Credentials, one Case) (Result, error) {
	r := one.Request
	r.Header = r.Header.Clone()
	if err := credentials.add(&r, one.Caller); err != nil {
		return Result{}, err
	}
	return config.Decide(ctx, r)
}

// denial returns the decision of the gate that denied, or nil.
func (r Result) denial() *GateResult {
	if i := slices.IndexFunc(r.Gates, func(j GateResult) bool { return j.Denied }); i >= 0 {
		return &r.Gates[i]
	}
	return nil
}

// compare returns the difference between a result and the expectation.
func (e Expectation) compare(r Result) string {
	denial := r.denial()
	ok := r.Status == e.Status
	if e.Status == 0 {
		ok = denial == nil && (r.Reaches != "" || r.Status < 400)
	}
	if ok && e.Code != "" {
		ok = denial != nil && denial.Code == e.Code
	}
	if ok && len(e.Missing) > 0 {
		ok = slices.Equal(slices.Sorted(slices.Values(denial.Missing)), slices.Sorted(slices.Values(e.Missing)))
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("expected %s, got %s", e, r)
}

func (e Expectation) String() string {
	if e.Status == 0 {
		return "pass"
	}
	return strings.TrimRight(fmt.Sprintf("%d %s %s", e.Status, e.Code, strings.Join(e.Missing, " ")), " ")
}

func (r Result) String() string {
	var text string
	switch denial := r.denial(); {
	case denial != nil:
		text = Expectation{Status: r.Status, Code: denial.Code, Missing: denial.Missing}.String()
		if denial.Reason != "" {
			text += ": " + denial.Reason
		}
	case r.Reaches != "":
		text = "pass: reaches " + r.Reaches
	default:
		text = fmt.Sprintf("pass: answered with %d", r.Status)
	}
	if len(r.Gates) == 0 {
		text += ", through no gate"
	}
	return text
}
