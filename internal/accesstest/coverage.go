package accesstest

import "slices"

// Uncovered is a gate, or a rule of a gate, without a case.
type Uncovered struct {
	Gate Gate `json:"-"`
	// Where is the path of the gate in Caddy's config API.
	Where string `json:"where"`
	// What names the missing case.
	What string `json:"what"`
}

// Coverage is the share of gates and rules with cases. A gate needs a case that passes
// and one that is denied. A rule needs an authenticated caller that meets it, and one
// that does not.
type Coverage struct {
	Covered int         `json:"covered"`
	Total   int         `json:"total"`
	Missing []Uncovered `json:"missing"`
}

// Percent is the covered share.
func (c Coverage) Percent() float64 {
	if c.Total == 0 {
		return 100
	}
	return 100 * float64(c.Covered) / float64(c.Total)
}

// Cover returns the coverage of the gates by outcomes.
func Cover(gates []Gate, outcomes []Outcome) Coverage {
	coverage := Coverage{Missing: []Uncovered{}}
	for _, gate := range gates {
		count := func(name string, covers func(GateResult) bool) {
			coverage.Total++
			if slices.ContainsFunc(outcomes, func(o Outcome) bool {
				return slices.ContainsFunc(o.result.Gates, func(j GateResult) bool { return j.Where == gate.Where && covers(j) })
			}) {
				coverage.Covered++
				return
			}
			coverage.Missing = append(coverage.Missing, Uncovered{Gate: gate, Where: gate.Where, What: name})
		}
		count("no case is admitted", func(j GateResult) bool { return !j.Denied })
		count("no case is denied", func(j GateResult) bool { return j.Denied })
		for _, rule := range gate.Rules {
			meets := func(want bool) func(GateResult) bool {
				return func(j GateResult) bool { met, evaluated := j.Met[rule]; return evaluated && met == want }
			}
			count("no caller meets the rule "+rule, meets(true))
			count("no known caller fails the rule "+rule, meets(false))
		}
	}
	return coverage
}
