package basic

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/excorp/caddy-require-auth/authn"
)

func encode(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct{ credentials, name, password string }{
		"R7617-2: a name and a password":           {encode("alice:secret"), "alice", "secret"},
		"R7617-2: colons in the password":          {encode("alice::a:b:"), "alice", ":a:b:"},
		"R7617-2: an empty name":                   {encode(":secret"), "", "secret"},
		"R7617-2: an empty password":               {encode("alice:"), "alice", ""},
		"R7617-2: the example of the RFC":          {"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
		"R7617-4: the example in UTF-8 of the RFC": {"dGVzdDoxMjPCow==", "test", "123£"},
		"R7617-4: both are composed":               {encode("e\u0301:u\u0308"), "é", "ü"},
		"R7617-4: the case stays":                  {encode("Alice:SECRET"), "Alice", "SECRET"},
		"R7617-2: spaces stay":                     {encode(" a : b "), " a ", " b "},
	} {
		t.Run(name, func(t *testing.T) {
			user, password, err := decode(test.credentials)
			if err != nil || user != test.name || password != test.password {
				t.Errorf("got %q %q, %v", user, password, err)
			}
		})
	}
	for name, credentials := range map[string]string{
		"R7617-3: nothing":                     "",
		"R7617-3: no colon":                    encode("alice"),
		"R7617-3: not base64":                  "!!!!",
		"R7617-3: text behind":                 encode("alice:secret") + " more",
		"R7617-3: not UTF-8":                   encode("alice:\xff"),
		"R7617-3: half a character":            encode("alice:\xc3"),
		"R7617-2: no padding":                  strings.TrimRight(encode("alice:secre"), "="),
		"R7617-2: too much padding":            encode("alice:secret") + "=",
		"R7617-2: the URL alphabet":            base64.URLEncoding.EncodeToString([]byte("a:\u07ff\u07ff")),
		"R7617-2: a line break in the base64":  encode("alice:")[:4] + "\n" + encode("alice:")[4:],
		"R7617-2: bits that nothing stands on": "YTpiZB==",
		"R7617-2: a NUL":                       encode("alice:secret\x00"),
		"R7617-2: a line break":                encode("alice:sec\nret"),
		"R7617-2: a control in the name":       encode("al\x1fice:secret"),
		"R7617-2: a DEL":                       encode("alice:\x7f"),
		"KEY-5: more than there may be":        encode("alice:" + strings.Repeat("x", authn.MaxCredential)),
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if user, password, err := decode(credentials); err == nil || user != "" || password != "" {
				t.Errorf("got %q %q, %v", user, password, err)
			}
		})
	}
}

// FuzzDecode holds what is accepted to the form that RFC 7617 gives it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "dGVzdDoxMjPCow==", "YTpi", "YTpiZA==", "YTpiZB==", "YTpiZA", "Og==", "YWxpY2U=", "YTpi\n", "YTpi YTpi",
		encode("e\u0301:u\u0308"), encode("a:\xff"), encode("a:\x00"), encode("a:b:c"), "YTpi====", "_-==",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, credentials string) {
		name, password, err := decode(credentials)
		if err != nil {
			if name != "" || password != "" {
				t.Fatalf("%q: %q and %q beside %v", credentials, name, password, err)
			}
			return
		}
		raw, err := base64.StdEncoding.DecodeString(credentials)
		if err != nil || encode(string(raw)) != credentials {
			t.Fatalf("%q is not the one spelling of %q", credentials, raw)
		}
		before, after, colon := strings.Cut(string(raw), ":")
		if !colon || norm.NFC.String(before) != name || norm.NFC.String(after) != password {
			t.Fatalf("%q: %q and %q", credentials, name, password)
		}
		if strings.Contains(name, ":") || !utf8.ValidString(name+password) {
			t.Fatalf("%q: %q and %q", credentials, name, password)
		}
		for _, r := range name + password {
			if r < ' ' || r == 0x7f {
				t.Fatalf("%q: a control character in %q or %q", credentials, name, password)
			}
		}
		if user, secret, err := decode(encode(name + ":" + password)); err != nil || user != name || secret != password {
			t.Fatalf("%q: decoded again as %q and %q, %v", credentials, user, secret, err)
		}
	})
}
