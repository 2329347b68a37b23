// Package trace collects the checks of a credential for an explanation.
package trace

// Trace collects the checks of a credential for an operator. A real request has a
// nil trace, and all methods work on it. With a trace a scheme must have no side
// effects: it uses no cache, counts nothing and uses up no proof.
type Trace struct {
	checks []Check
	scheme string
}

// Check is one check and its result.
type Check struct {
	// Scheme is the scheme of the check. It is absent for a check of the gate.
	Scheme string `json:"scheme,omitempty"`
	// Check is its name, such as `signature`.
	Check string `json:"check"`
	// Result is `ok`, `failed`, or `skipped` for a check that an explanation
	// leaves out.
	Result string `json:"result"`
	// Detail is the value that was found, and the reason of a failure. It contains no
	// usable part of a credential.
	Detail string `json:"detail,omitempty"`
}

// The results of a [Check].
const (
	OK      = "ok"
	Failed  = "failed"
	Skipped = "skipped"
)

// Note adds a check, failed if there is an error, and returns the error.
func (t *Trace) Note(check string, failure error) error {
	if t != nil {
		t.add(check, failure, "")
	}
	return failure
}

// NoteFound is Note with the value that was found. It calls found only with a trace.
func (t *Trace) NoteFound(check string, failure error, found func() string) error {
	if t != nil {
		t.add(check, failure, found())
	}
	return failure
}

// Skip adds a skipped check. It reports whether the caller must skip it.
func (t *Trace) Skip(check, reason string) bool {
	if t != nil {
		t.checks = append(t.checks, Check{Scheme: t.scheme, Check: check, Result: Skipped, Detail: reason})
	}
	return t != nil
}

func (t *Trace) add(check string, failure error, found string) {
	entry := Check{Scheme: t.scheme, Check: check, Result: OK, Detail: found}
	if failure != nil {
		entry.Result, entry.Detail = Failed, failure.Error()
		if found != "" {
			entry.Detail += ": " + found
		}
	}
	t.checks = append(t.checks, entry)
}

// SetScheme sets the scheme of the next checks. It is empty for the gate.
func (t *Trace) SetScheme(scheme string) {
	if t != nil {
		t.scheme = scheme
	}
}

// Take returns the checks since the last call.
func (t *Trace) Take() []Check {
	checks := t.checks
	t.checks = nil
	return checks
}
