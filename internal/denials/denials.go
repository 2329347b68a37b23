// Package denials sums up what gates deny: which requests, whose they are, why, and what
// would let them pass.
package denials

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Denial is a request that a gate denies, or would deny.
type Denial struct {
	Code     string   `json:"code"`
	Method   string   `json:"method"`
	Host     string   `json:"host"`
	Path     string   `json:"path"`
	Required string   `json:"required,omitempty"`
	Missing  []string `json:"missing,omitempty"`
	Reason   string   `json:"reason"`
	Found    string   `json:"found,omitempty"`
}

// Row is the requests that are denied for one reason at one place.
type Row struct {
	Count int `json:"count"`
	Denial
	// Callers are some of those who sent the requests, and Remedy says what would let
	// the requests pass.
	Callers []string `json:"callers"`
	Remedy  string   `json:"remedy"`
}

// Report is what gates deny.
type Report struct {
	Decision string `json:"decision"`
	Requests int    `json:"requests"`
	// Admitted is how many requests were admitted. Gates log them at the level DEBUG. A
	// running server counts those at gates with report_only.
	Admitted int   `json:"admitted"`
	Rows     []Row `json:"rows"`
	// Left is how many requests are in no row, because there are too many rows.
	Left int `json:"left,omitempty"`
	// Since is when a running server began to count; absent for a log.
	Since time.Time `json:"since,omitzero"`
}

// The decisions of gates that a log can have.
const (
	Admitted  = "admitted"
	WouldDeny = "would_deny"
	Denied    = "denied"
)

const (
	maxLogLine = 1 << 20
	// maxRowsOfLog and maxRows bound the rows, because a client can send any path. The
	// rows of a running server need at most 4 MiB.
	maxRowsOfLog = 10_000
	maxRows      = 1_000
	// maxCallers is how many callers a row names.
	maxCallers = 5
	// maxText bounds each text that a client chooses, in bytes.
	maxText = 256
)

// Summary sums up denials. It is safe for concurrent use, and its size is bounded.
type Summary struct {
	mutex  sync.Mutex
	report Report
	most   int
	rows   map[string]*Row
}

// New returns a summary of the denials of a running server.
func New() *Summary {
	s := newSummary(WouldDeny, maxRows)
	s.report.Since = time.Now()
	return s
}

func newSummary(decision string, most int) *Summary {
	return &Summary{report: Report{Decision: decision}, most: most, rows: make(map[string]*Row)}
}

// Admit counts a request that was admitted.
func (s *Summary) Admit() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.report.Admitted++
}

// Add adds a denial, and who was denied; empty if unknown.
func (s *Summary) Add(one Denial, caller string) {
	one.Path, _, _ = strings.Cut(one.Path, "?")
	for _, text := range []*string{&one.Method, &one.Host, &one.Path, &one.Reason, &one.Found, &caller} {
		*text = cut(*text)
	}
	one.Path = identifier.ReplaceAllString(one.Path, "/{id}$1")
	key := fmt.Sprintf("%q", []string{
		one.Code, one.Method, one.Host, one.Path, one.Required, strings.Join(one.Missing, " "), one.Found, varying.ReplaceAllString(one.Reason, ""),
	})
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.report.Requests++
	row := s.rows[key]
	if row == nil {
		if len(s.rows) == s.most {
			s.trim()
		}
		row = &Row{Denial: one, Remedy: remedyFor(one), Callers: []string{}}
		s.rows[key] = row
	}
	row.Count++
	if caller != "" && len(row.Callers) < maxCallers && !slices.Contains(row.Callers, caller) {
		row.Callers = append(row.Callers, caller)
	}
}

// cut returns a copy of a text, because the text may be a part of a large buffer.
func cut(text string) string {
	if len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return strings.Clone(text)
}

// trim removes the half of the rows with the fewest requests.
func (s *Summary) trim() {
	type rowCount struct {
		key   string
		count int
	}
	all := make([]rowCount, 0, len(s.rows))
	for key, row := range s.rows {
		all = append(all, rowCount{key, row.Count})
	}
	slices.SortFunc(all, func(a, b rowCount) int { return cmp.Or(a.count-b.count, strings.Compare(a.key, b.key)) })
	for _, one := range all[:len(all)/2] {
		s.report.Left += one.count
		delete(s.rows, one.key)
	}
}

// Report returns the sums so far, the most frequent denials first.
func (s *Summary) Report() Report {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	report := s.report
	report.Rows = []Row{}
	for _, row := range s.rows {
		one := *row
		one.Callers = slices.Clone(row.Callers)
		report.Rows = append(report.Rows, one)
	}
	slices.SortFunc(report.Rows, func(a, b Row) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Host+a.Path, b.Host+b.Path), strings.Compare(a.Method+a.Code, b.Method+b.Code))
	})
	return report
}

// Read sums up a log of JSON lines, which may have something in front of the JSON.
func Read(log io.Reader, decision string) (Report, error) {
	summed := newSummary(decision, maxRowsOfLog)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var record struct {
			Denial
			Logger   string `json:"logger"`
			Decision string `json:"decision"`
			URI      string `json:"uri"`
			User     string `json:"user_id"`
			Client   string `json:"client_id"`
			Address  string `json:"client_ip"`
		}
		start := max(bytes.IndexByte(lines.Bytes(), '{'), 0)
		if json.Unmarshal(lines.Bytes()[start:], &record) != nil || !strings.HasSuffix(record.Logger, "http.handlers.require_auth") {
			continue
		}
		if record.Decision == Admitted {
			summed.Admit()
		}
		if record.Decision == decision {
			record.Path = record.URI
			summed.Add(record.Denial, cmp.Or(record.User, record.Client, record.Address))
		}
	}
	return summed.Report(), lines.Err()
}

var (
	// identifier is a segment of a path that names a thing: a number, a UUID or
	// another long one with digits.
	identifier = regexp.MustCompile(`/(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[\w-]*\d[\w-]{15,})(/|$)`)
	// varying is what differs in reasons of one kind, such as a time.
	varying = regexp.MustCompile(`\d{4}-\d\d-\d\dT\S+`)
)

// remedies say what would let a request pass, by the code of its denial.
var remedies = map[string]string{
	"missing_credentials":              "have the client send a credential, or leave the path out of the matcher of the gate",
	"invalid_request":                  "have the client send one credential only",
	"expired_token":                    "have the client renew its token; compare the clocks",
	"revoked_token":                    "have the client log in again, or undo the revocation",
	"invalid_credentials":              "correct the password or the key of the client",
	"access_denied":                    "compare the caller with the lines user, claim and if of the gate",
	"insufficient_user_authentication": "have the client log its user in again, or relax acr and max_age",
	"temporarily_unavailable":          "make the provider reachable for Caddy",
	"too_many_attempts":                "find out who tries passwords; see the line attempts",
}

// remedyFor says what would let the requests of a row pass.
func remedyFor(one Denial) string {
	missing := strings.Join(one.Missing, " ")
	switch {
	case one.Code == "insufficient_scope":
		return fmt.Sprintf("grant the scope %s, let a scope of the caller imply it (`scope_implies <scope> %s`), or remove it from the gate", missing, missing)
	case one.Code == "insufficient_role":
		return fmt.Sprintf("grant the role %s, read roles from another claim (`role_claims`), or remove it from the gate", missing)
	case strings.Contains(one.Reason, "OpenAPI document"):
		return "add the operation to the OpenAPI document, leave the path out of the matcher of the gate, or write `undeclared allow`"
	case strings.HasPrefix(one.Reason, "iss ") && one.Found != "":
		return "accept the issuer, if it is yours: `issuer " + one.Found + "`"
	case strings.HasPrefix(one.Reason, "aud ") && one.Found != "":
		return "accept an audience of the token, if it is meant for this API: `audience …`, out of " + one.Found
	}
	return cmp.Or(remedies[one.Code], "see the code and the reason in docs/troubleshooting.md")
}
