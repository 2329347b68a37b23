package apikey

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// scheme has one key, whose owner ends at noon, and a clock.
func scheme(t *testing.T, now time.Time) *APIKey {
	t.Helper()
	noon := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	a := &APIKey{
		From:   []authn.Location{defaultLocation},
		static: []Key{{ID: "forever", Digest: digestOf("for ever")}, {ID: "noon", Digest: digestOf("till noon"), Expires: &noon, Scopes: []string{"read"}, Roles: []string{"guest"}}},
		now:    func() time.Time { return now },
	}
	a.setLocations()
	if err := a.use(nil); err != nil {
		t.Fatal(err)
	}
	return a
}

func try(a *APIKey, key string) authn.Outcome {
	r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
	r.Header.Set("X-API-Key", key)
	credential, err := a.Find(r)
	if err != nil {
		return authn.Reject(authn.CodeInvalidRequest, err)
	}
	return a.Verify(context.Background(), r, credential)
}

func TestExpiry(t *testing.T) {
	noon := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		now     time.Time
		verdict authn.Verdict
	}{
		"KEY-5: a key is good until it ends":          {noon.Add(-time.Nanosecond), authn.Accepted},
		"KEY-5: a key is over in the moment it ends":  {noon, authn.Rejected},
		"KEY-5: a key is over after it ended":         {noon.Add(time.Hour), authn.Rejected},
		"KEY-5: an expiry means a moment, not a zone": {noon.In(time.FixedZone("east", 3600*9)).Add(-time.Nanosecond), authn.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := try(scheme(t, test.now), "till noon")
			if outcome.Verdict != test.verdict {
				t.Fatalf("outcome %+v", outcome)
			}
			if identity := outcome.Identity; identity != nil && (identity.ID != "noon" || identity.Scopes[0] != "read" || identity.Roles[0] != "guest" || !identity.Expires.Equal(noon)) {
				t.Errorf("identity %+v", identity)
			}
			if other := try(scheme(t, test.now), "for ever"); other.Verdict != authn.Accepted {
				t.Errorf("the other key: %+v", other)
			}
		})
	}
}

func TestVerifySaysNothing(t *testing.T) {
	a := scheme(t, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, value := range []string{"nonsense", "till noon", digestOf("for ever"), digestOf("for ever")[7:], "forever", "FOR EVER", "for ever\x00", strings.Repeat("x", authn.MaxCredential), "\xff"} {
		t.Run(fmt.Sprintf("KEY-5: %.20q is refused with the same code and without being repeated", value), func(t *testing.T) {
			outcome := try(a, value)
			if outcome.Verdict == authn.Accepted || outcome.Identity != nil || outcome.Code != authn.CodeInvalidCredentials {
				t.Fatalf("outcome %+v", outcome)
			}
			if strings.Contains(outcome.Reason.Error(), value) {
				t.Errorf("reason %v", outcome.Reason)
			}
		})
	}
}

func TestIndexHoldsNoKey(t *testing.T) {
	a := scheme(t, time.Now())
	try(a, "for ever")
	t.Run("KEY-5: only digests are held", func(t *testing.T) {
		for digest, entry := range a.keys.Load().byDigest {
			if digest != sha256.Sum256([]byte("for ever")) && digest != sha256.Sum256([]byte("till noon")) {
				t.Errorf("%x is no digest of a key", digest)
			}
			if bytes.Contains(entry.digest[:], []byte("ever")) || strings.Contains(fmt.Sprintf("%+v", entry.identity), "sha256") {
				t.Errorf("entry %+v", entry)
			}
		}
	})
}

func TestKeyCheck(t *testing.T) {
	good := digestOf("for ever")
	for name, key := range map[string]Key{
		"the key itself":           {ID: "a", Digest: "for ever"},
		"nothing":                  {ID: "a"},
		"the name of the digest":   {ID: "a", Digest: "sha256:"},
		"too few digits":           {ID: "a", Digest: good[:len(good)-1]},
		"too many digits":          {ID: "a", Digest: good + "0"},
		"two digits too many":      {ID: "a", Digest: good + "00"},
		"what is not a digit":      {ID: "a", Digest: good[:len(good)-1] + "x"},
		"another digest":           {ID: "a", Digest: "sha512:" + good[7:]},
		"digits without the name":  {ID: "a", Digest: good[7:]}, // which may be the key itself
		"the name in capitals":     {ID: "a", Digest: strings.ToUpper(good)},
		"a space in front":         {ID: "a", Digest: " " + good},
		"no id":                    {Digest: good},
		"an id with a line break":  {ID: "a\nb", Digest: good},
		"an id with a DEL in it":   {ID: "a\x7f", Digest: good},
		"base64 in place of digit": {ID: "a", Digest: "sha256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="},
	} {
		t.Run("KEY-5: "+name+" is refused and the value not repeated", func(t *testing.T) {
			err := key.check()
			if err == nil {
				t.Fatal("it was accepted")
			}
			if len(key.Digest) > len("sha256:") && strings.Contains(err.Error(), key.Digest) {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("KEY-5: digits may be capitals", func(t *testing.T) {
		if err := (Key{ID: "a", Digest: "sha256:" + strings.ToUpper(good[7:])}).check(); err != nil {
			t.Error(err)
		}
	})
}

func TestParseFile(t *testing.T) {
	entry := `{"id": "a", "digest": "` + digestOf("x") + `"}`
	for name, content := range map[string]string{
		"nothing":                   "",
		"half of it":                "[" + entry,
		"an object":                 entry,
		"an unknown member":         `[{"id": "a", "secret": "hunter2"}]`,
		"text behind":               "[" + entry + "] hunter2",
		"another value behind":      "[" + entry + "] []",
		"a bracket behind":          "[" + entry + "]]",
		"a brace behind":            "[" + entry + "]}",
		"a key where an object was": `["hunter2"]`,
	} {
		t.Run("KEY-5: "+name+" is refused and not repeated", func(t *testing.T) {
			keys, err := parseFile([]byte(content))
			if err == nil {
				t.Fatalf("read %+v", keys)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("KEY-5: a list of keys is read", func(t *testing.T) {
		keys, err := parseFile([]byte("\n[" + entry + "]\n"))
		if err != nil || len(keys) != 1 || keys[0].ID != "a" {
			t.Errorf("read %+v, %v", keys, err)
		}
	})
}
