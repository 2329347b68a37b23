package denials

import (
	"fmt"
	"strings"
	"testing"
)

func TestBounds(t *testing.T) {
	s := newSummary(WouldDeny, 10)
	for range 3 {
		s.Add(Denial{Code: "missing_credentials", Path: "/often"}, "alice")
	}
	for i := range 100 {
		s.Add(Denial{Code: "missing_credentials", Path: fmt.Sprintf("/p%dq", i), Reason: strings.Repeat("é", maxText)}, strings.Repeat("x", 10*maxText))
	}
	report := s.Report()
	sum := report.Left
	for _, row := range report.Rows {
		sum += row.Count
		if len(row.Reason) > maxText+len("…") || len(row.Callers[0]) > maxText+len("…") || !strings.HasPrefix(row.Reason+"é", "é") {
			t.Errorf("%d bytes of a reason, %d of a caller", len(row.Reason), len(row.Callers[0]))
		}
	}
	if report.Requests != 103 || sum != 103 || len(report.Rows) > 10 || report.Rows[0].Path != "/often" || report.Rows[0].Count != 3 {
		t.Errorf("%d requests, %d in rows and left, %d rows, the first %+v", report.Requests, sum, len(report.Rows), report.Rows[0])
	}
}

// TestRows has denials that count as one, and others that do not.
func TestRows(t *testing.T) {
	s := New()
	for _, path := range []string{"/a/1", "/a/2?x=secret", "/a/4f1d2c3b-0000-4000-8000-00805f9b34fb", "/a/b"} {
		s.Add(Denial{Code: "expired_token", Path: path, Reason: "expired at 2001-01-01T00:00:0" + path[len(path)-1:] + "Z"}, "")
	}
	report := s.Report()
	if len(report.Rows) != 2 || report.Rows[0].Count != 3 || report.Rows[0].Path != "/a/{id}" || len(report.Rows[0].Callers) != 0 || report.Since.IsZero() {
		t.Errorf("%+v", report)
	}
	report.Rows[0].Callers = append(report.Rows[0].Callers, "x")
	if again := s.Report(); len(again.Rows[0].Callers) != 0 {
		t.Error("a report shares its callers with the summary")
	}
}
