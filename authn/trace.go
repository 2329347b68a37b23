package authn

// Trace collects what is checked about a credential, for an operator who asks
// why. Nil collects nothing, which is how requests are judged; a scheme can
// note each of its checks all the same. With a trace it must leave nothing
// behind: nothing is used up, counted or remembered, and what is remembered
// does not take the place of a check.
type Trace struct {
	checks []Check
	scheme string
}

// Check is one check and its verdict.
type Check struct {
	// Scheme is the scheme that made the check; absent for one of the gate.
	Scheme string `json:"scheme,omitempty"`
	// Check names what was looked at, such as `signature`.
	Check string `json:"check"`
	// Result is `ok`, `failed`, or `skipped` for a check that an explanation
	// leaves out.
	Result string `json:"result"`
	// Detail says what was found, and of a failure why. It is for the operator
	// and holds no part of a credential that would be worth anything.
	Detail string `json:"detail,omitempty"`
}

// The results of a [Check].
const (
	CheckOK      = "ok"
	CheckFailed  = "failed"
	CheckSkipped = "skipped"
)

// Note adds a check that failed if there is an error, and returns the error.
func (t *Trace) Note(check string, failure error) error {
	if t != nil {
		t.add(check, failure, "")
	}
	return failure
}

// NoteFound is Note with what was found, which is asked for only if there is a trace.
func (t *Trace) NoteFound(check string, failure error, found func() string) error {
	if t != nil {
		t.add(check, failure, found())
	}
	return failure
}

// Skip adds a check that is left out, and reports whether to leave it out.
func (t *Trace) Skip(check, why string) bool {
	if t != nil {
		t.checks = append(t.checks, Check{Scheme: t.scheme, Check: check, Result: CheckSkipped, Detail: why})
	}
	return t != nil
}

func (t *Trace) add(check string, failure error, found string) {
	made := Check{Scheme: t.scheme, Check: check, Result: CheckOK, Detail: found}
	if failure != nil {
		made.Result, made.Detail = CheckFailed, failure.Error()
		if found != "" {
			made.Detail += ": " + found
		}
	}
	t.checks = append(t.checks, made)
}

// SetScheme has the checks that follow be those of a scheme, or of the gate if the
// name is empty.
func (t *Trace) SetScheme(scheme string) {
	if t != nil {
		t.scheme = scheme
	}
}

// Take returns the checks since it was last called.
func (t *Trace) Take() []Check {
	taken := t.checks
	t.checks = nil
	return taken
}
