package accesstest

import "slices"

// Uncovered is a gate, or a rule of one, that no case exercises.
type Uncovered struct {
	Gate Gate `json:"-"`
	// Where is the path of the gate in Caddy's config API.
	Where string `json:"where"`
	// What says which case is missing.
	What string `json:"what"`
}

// Coverage is what the cases exercise: that each gate admits and denies a
// request, and that a known caller meets, and another does not meet, each rule.
type Coverage struct {
	Covered int         `json:"covered"`
	Total   int         `json:"total"`
	Missing []Uncovered `json:"missing"`
}

// Percent is how much is covered.
func (c Coverage) Percent() float64 {
	if c.Total == 0 {
		return 100
	}
	return 100 * float64(c.Covered) / float64(c.Total)
}

// Cover returns what the cases exercise of the gates.
func Cover(gates []Gate, outcomes []Outcome) Coverage {
	coverage := Coverage{Missing: []Uncovered{}}
	for _, gate := range gates {
		count := func(what string, covers func(Judged) bool) {
			coverage.Total++
			if slices.ContainsFunc(outcomes, func(o Outcome) bool {
				return slices.ContainsFunc(o.result.Gates, func(j Judged) bool { return j.Where == gate.Where && covers(j) })
			}) {
				coverage.Covered++
				return
			}
			coverage.Missing = append(coverage.Missing, Uncovered{Gate: gate, Where: gate.Where, What: what})
		}
		count("no case is admitted", func(j Judged) bool { return !j.Denied })
		count("no case is denied", func(j Judged) bool { return j.Denied })
		for _, rule := range gate.Rules {
			meets := func(want bool) func(Judged) bool {
				return func(j Judged) bool { met, asked := j.Met[rule]; return asked && met == want }
			}
			count("no caller meets the rule "+rule, meets(true))
			count("no known caller fails the rule "+rule, meets(false))
		}
	}
	return coverage
}
