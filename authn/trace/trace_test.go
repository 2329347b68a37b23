package trace

import (
	"errors"
	"slices"
	"testing"
)

func TestTrace(t *testing.T) {
	failure := errors.New("no")
	look := func(trace *Trace) (skipped bool) {
		trace.SetScheme("corp")
		if trace.Note("a", nil) != nil || trace.NoteFound("b", failure, func() string { return "found" }) == nil {
			t.Error("the error is lost, or there is one too many")
		}
		trace.SetScheme("")
		return trace.Skip("c", "why")
	}
	trace := new(Trace)
	if !look(trace) {
		t.Error("nothing is left out")
	}
	want := []Check{
		{Scheme: "corp", Check: "a", Result: "ok"},
		{Scheme: "corp", Check: "b", Result: "failed", Detail: "no: found"},
		{Check: "c", Result: "skipped", Detail: "why"},
	}
	if got := trace.Take(); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := trace.Take(); len(got) != 0 {
		t.Errorf("taken twice: %+v", got)
	}
	if look(nil) {
		t.Error("without a trace something is left out")
	}
	if got := testing.AllocsPerRun(100, func() { look(nil) }); got != 0 {
		t.Errorf("%g allocations without a trace", got)
	}
}
