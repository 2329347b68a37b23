package facade

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSeal(t *testing.T) {
	const secret = "a secret of all the instances, of 32 bytes"
	synctest.Test(t, func(t *testing.T) {
		s := newSealer(secret, "https://a.example")
		text, err := seal(s, forConsent, "value")
		if err != nil {
			t.Fatal(err)
		}
		again, _ := seal(s, forConsent, "value")
		if text == again || strings.Contains(text, "value") {
			t.Error("it is not encrypted again")
		}
		opens := func(s sealer, why purpose, text string) bool {
			value, err := open[string](s, why, text)
			return err == nil && value == "value"
		}
		if !opens(newSealer(secret, "https://a.example"), forConsent, text) {
			t.Error("FACADE-5: another instance cannot read it")
		}
		if opens(s, forCallback, text) || opens(s, forToken, text) {
			t.Error("FACADE-5: it serves another purpose")
		}
		if opens(newSealer(secret, "https://b.example"), forConsent, text) || opens(newSealer("", "https://a.example"), forConsent, text) {
			t.Error("FACADE-5: another facade reads it")
		}
		for i := range text {
			changed := text[:i] + string("AB"[(text[i]/2)%2]) + text[i+1:]
			if changed != text && opens(s, forConsent, changed) {
				t.Fatalf("changed at %d, it is read", i)
			}
		}
		for _, bad := range []string{"", "A", text[:20], text + "A", text + "=", " " + text, strings.Repeat("A", maxSealed+1)} {
			if opens(s, forConsent, bad) {
				t.Errorf("%.40q is read", bad)
			}
		}
		time.Sleep(lifetime - time.Second)
		if !opens(s, forConsent, text) {
			t.Error("it ended early")
		}
		time.Sleep(time.Second)
		if opens(s, forConsent, text) {
			t.Error("it does not end")
		}
	})
}
