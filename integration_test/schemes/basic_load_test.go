package schemes

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// weak are hashes of the password "secretword" that must not be accepted.
var weak = map[string]string{
	"the password itself":               "secretword",
	"MD5 in hexadecimal":                "b6b3c1a2d4e5f60718293a4b5c6d7e8f",
	"SHA-1 in hexadecimal":              "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
	"SHA-256 in hexadecimal":            "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
	"htpasswd SHA-1":                    "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
	"htpasswd salted SHA-1":             "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9hzYWx0",
	"htpasswd MD5":                      "$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00",
	"MD5 crypt":                         "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
	"SHA-256 crypt":                     "$5$saltsalt$n5b2WQ7wHIYtUcGJ4sYIfXv2fyR8F6U0SPLNrPNQU.2",
	"SHA-512 crypt":                     "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
	"DES crypt":                         "rqXexS6ZhobKA",
	"argon2i":                           "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
	"bcrypt that is cut short":          "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lh",
	"bcrypt with more behind it":        "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWyy",
	"bcrypt of a cost there is not":     "$2a$99$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	"bcrypt with a salt that is none":   "$2a$04$!!!!!!!!!!!!!!!!!!!!!!IjZAgcfl7p92ldGxad68LJZdL17lhWy",
	"bcrypt whose digest is no base64":  "$2a$04$N9qo8uLOickgx2ZMRZoMye!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
	"argon2id with no passes":           "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
	"argon2id with no threads":          "$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
	"argon2id of four gigabytes":        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
	"argon2id of another version":       "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
	"argon2id with a key of four bytes": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$RdescQ",
	"argon2id that is cut short":        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
}

func TestBasicWeakHashes(t *testing.T) {
	good := hash(t, "open-sesame")
	s := harness.Start(t, config("basic {\n user alice "+good+"\n}", "require_auth\nrespond hello"))
	folder := t.TempDir()
	for name, value := range weak {
		t.Run("R7617-5: "+name+" is refused in the configuration", func(t *testing.T) {
			err := s.TryReload(config("basic {\n user alice `"+value+"`\n}", "require_auth\nrespond hello"))
			if err == nil {
				t.Fatal("it was accepted")
			}
			noneIn(t, "the error", err.Error(), value)
		})
		t.Run("R7617-5: "+name+" is refused in the environment", func(t *testing.T) {
			t.Setenv("WEAK_HASH", value)
			err := s.TryReload(config("basic {\n user alice {env.WEAK_HASH}\n}", "require_auth\nrespond hello"))
			if err == nil {
				t.Fatal("it was accepted")
			}
			noneIn(t, "the error", err.Error(), value)
		})
		t.Run("R7617-5: "+name+" is refused in a file", func(t *testing.T) {
			path := folder + "/htpasswd"
			write(t, path, "alice:"+good+"\nmallory:"+value+"\n")
			err := s.TryReload(config("basic {\n users_file "+path+"\n}", "require_auth\nrespond hello"))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), "line 2") {
				t.Errorf("the error does not name the line: %v", err)
			}
			noneIn(t, "the error", err.Error(), value)
		})
	}
	wantOK(t, s.Get("/", encoded("alice:open-sesame"))) // what ran before still does
}

func TestBasicBadConfiguration(t *testing.T) {
	good := hash(t, "open-sesame")
	for name, block := range map[string]string{
		"R7617-2: a user name with a colon":   "user al:ice " + good,
		"R7617-2: a user name with a control": "user \"al\tice\" " + good,
		"R7617-5: a user without a hash":      "user alice",
		"R7617-5: a user with two hashes":     "user alice " + good + " " + good,
		"R7617-5: a user declared twice":      "user alice " + good + "\nuser alice " + good,
		"R7617-5: a scheme without users":     "realm here",
		"R9110-9: a realm outside ASCII":      "realm büro\nuser alice " + good,
		"CLI-2: a realm that holds scope=":    "realm scope=x\nuser alice " + good,
		"R7617-1: an unknown line":            "user alice " + good + "\nuzer bob " + good,
	} {
		t.Run(name+" is refused with file and line", func(t *testing.T) {
			_, err := harness.Adapt(config("basic ops {\n"+block+"\n}", "require_auth\nrespond hello"))
			if err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Fatalf("error %v", err)
			}
			noneIn(t, "the error", err.Error(), good)
		})
	}
	t.Run("R7617-4: two users whose names are the same after normalization are refused", func(t *testing.T) {
		s := harness.Start(t, config("basic {\n user alice "+good+"\n}", "require_auth\nrespond hello"))
		err := s.TryReload(config("basic {\n user josé "+good+"\n user jose\u0301 "+good+"\n}", "require_auth\nrespond hello"))
		if err == nil {
			t.Error("it was accepted")
		}
	})
}
