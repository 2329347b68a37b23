package idp

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1 << 40: time.Minute,
	} {
		for range 100 {
			if got := Backoff(failures, time.Minute); got < want*9/10 || got > want*11/10 || got > time.Minute {
				t.Errorf("after %d failures: %s, want about %s", failures, got, want)
			}
		}
	}
}

func TestDedupLog(t *testing.T) {
	log, now := new(DedupLog), time.Unix(1_000_000_000, 0)
	if log.Recovered() {
		t.Error("recovered from nothing")
	}
	for name, reason := range map[string]string{"first": "a", "another": "b"} {
		if !log.Failed(now, reason) || log.Failed(now.Add(time.Hour), reason) {
			t.Errorf("%s: not once", name)
		}
	}
	if !log.Recovered() || log.Recovered() {
		t.Error("the recovery is not logged once")
	}
	again := log.reason
	if log.Failed(now.Add(logAgain-1), again) || log.Recovered() {
		t.Error("a failure that comes and goes is logged each time")
	}
	if !log.Failed(now.Add(logAgain), again) || !log.Recovered() {
		t.Error("a failure after a while is not logged")
	}
}
