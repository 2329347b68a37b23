package schemes

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const basicLogger = "auth.schemes.basic"

// fileServer runs a gate whose users are those of the file. Tests try their
// passwords until the file was read, so attempts are not counted.
func fileServer(t *testing.T, path string) *harness.Server {
	t.Helper()
	return harness.Start(t, config("attempts off\nbasic ops {\n users_file "+path+"\n}", "require_auth\nrespond {http.auth.user.id}"))
}

// comesIn waits until a user is let in, which shows that a file was read.
func comesIn(t *testing.T, s *harness.Server, pair string) {
	t.Helper()
	harness.Eventually(t, pair+" comes in", func() bool { return s.Get("/", encoded(pair)).Status == 200 })
}

func TestUsersFileFormat(t *testing.T) {
	argon := "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" +
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("argon"), []byte("somesalt"), 1, 64, 1, 32))
	path := filepath.Join(t.TempDir(), "htpasswd")
	write(t, path, "# the users\r\n\r\n  alice:"+hash(t, "bcrypt")+"  \r\nbob:"+argon+"\r\n#carol:"+hash(t, "out"))
	s := fileServer(t, path)
	t.Run("R7617-5: bcrypt and argon2id are accepted", func(t *testing.T) {
		wantOK(t, s.Get("/", encoded("alice:bcrypt")))
		wantOK(t, s.Get("/", encoded("bob:argon")))
		want(t, s.Get("/", encoded("bob:bcrypt")), 401, "invalid_credentials", basicChallenge)
		want(t, s.Get("/", encoded("carol:out")), 401, "invalid_credentials", basicChallenge)
		want(t, s.Get("/", encoded("#carol:out")), 401, "invalid_credentials", basicChallenge)
	})
	t.Run("R7617-5: an empty file is refused", func(t *testing.T) {
		for _, content := range []string{"", "\n"} {
			empty := filepath.Join(t.TempDir(), "empty")
			write(t, empty, content)
			if err := s.TryReload(config("basic {\n users_file "+empty+"\n}", "require_auth")); err == nil {
				t.Errorf("%q was accepted", content)
			}
		}
	})
	t.Run("R7617-5: a file that is not there is refused", func(t *testing.T) {
		if err := s.TryReload(config("basic {\n users_file "+path+".none\n}", "require_auth")); err == nil {
			t.Error("it was accepted")
		}
	})
}

func TestUsersFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	first, second := hash(t, "first"), hash(t, "second")
	write(t, path, "alice:"+first+"\n")
	s := fileServer(t, path)
	wantOK(t, s.Get("/", encoded("alice:first")))

	t.Run("R7617-5: a change in place is followed, and a remembered password forgotten", func(t *testing.T) {
		write(t, path, "alice:"+second+"\nbob:"+first+"\n")
		comesIn(t, s, "alice:second")
		wantOK(t, s.Get("/", encoded("bob:first")))
		want(t, s.Get("/", encoded("alice:first")), 401, "invalid_credentials", basicChallenge)
	})
	t.Run("R7617-5: a file that is replaced by rename is followed", func(t *testing.T) {
		write(t, path+".new", "carol:"+first+"\n")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		comesIn(t, s, "carol:first")
		want(t, s.Get("/", encoded("alice:second")), 401, "invalid_credentials", basicChallenge)
	})
	t.Run("R7617-5: what cannot be used is logged and the last good version stays", func(t *testing.T) {
		for name, content := range map[string]string{
			"a plaintext password": "carol:secretword\n",
			"SHA-1":                "carol:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
			"MD5":                  "carol:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00\n",
			"a user twice":         "carol:" + second + "\ncarol:" + second + "\n",
			"nothing":              "\n",
		} {
			write(t, path, "carol:"+first+"\n"+name+":"+first+"\n")
			comesIn(t, s, name+":first")
			before := errorsOf(s, basicLogger)
			write(t, path, content)
			harness.Eventually(t, name+" is logged", func() bool { return errorsOf(s, basicLogger) > before })
			wantOK(t, s.Get("/", encoded("carol:first")))
			want(t, s.Get("/", encoded("carol:second")), 401, "invalid_credentials", basicChallenge)
		}
	})
	t.Run("R7617-5: a file that vanishes is logged and its last version stays", func(t *testing.T) {
		before := errorsOf(s, basicLogger)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the loss is logged", func() bool { return errorsOf(s, basicLogger) > before })
		wantOK(t, s.Get("/", encoded("carol:first")))
		write(t, path, "dave:"+first+"\n")
		comesIn(t, s, "dave:first")
	})
	t.Run("LEAK-5: the log holds neither hashes nor passwords", func(t *testing.T) {
		noneIn(t, "the log", s.LogText(), first, second, "secretword", "W6ph5Mm5Pz8", "lZL6V")
	})
}

func TestUsersFileLinks(t *testing.T) {
	folder := t.TempDir()
	for version, content := range map[string]string{"v1": "alice:" + hash(t, "first"), "v2": "alice:" + hash(t, "second")} {
		if err := os.Mkdir(filepath.Join(folder, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, version, "htpasswd"), content+"\n")
	}
	link := func(target, name string) {
		t.Helper()
		name = filepath.Join(folder, name)
		if err := os.Symlink(target, name+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data")
	link("..data/htpasswd", "htpasswd")
	s := fileServer(t, filepath.Join(folder, "htpasswd"))
	wantOK(t, s.Get("/", encoded("alice:first")))
	t.Run("R7617-5: a link that is swapped, as Kubernetes does, is followed", func(t *testing.T) {
		link("v2", "..data")
		comesIn(t, s, "alice:second")
		want(t, s.Get("/", encoded("alice:first")), 401, "invalid_credentials", basicChallenge)
		if err := os.RemoveAll(filepath.Join(folder, "v1")); err != nil {
			t.Fatal(err)
		}
		wantOK(t, s.Get("/", encoded("alice:second")))
	})
}

// TestUsersFileMistakes has lines on which the hash or the password stands
// where the user name is expected.
func TestUsersFileMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	good := hash(t, "first")
	write(t, path, "alice:"+good+"\n")
	s := fileServer(t, path)
	for name, mistake := range map[string]struct{ line, secret string }{
		"a line that is a hash":                 {hash(t, "second"), "$2a$04$"},
		"a line that is a password":             {"correct-horse", "correct-horse"},
		"a space where the colon should be":     {"alice battery-staple", "battery-staple"},
		"an equals sign where the colon should": {"alice=stapled-horse", "stapled-horse"},
	} {
		t.Run("LEAK-5: "+name+" is not repeated in the log", func(t *testing.T) {
			write(t, path, "alice:"+good+"\n"+name+":"+good+"\n")
			comesIn(t, s, name+":first")
			before := errorsOf(s, basicLogger)
			write(t, path, "alice:"+good+"\n"+mistake.line+"\n")
			harness.Eventually(t, "it is logged", func() bool { return errorsOf(s, basicLogger) > before })
			noneIn(t, "the log", s.LogText(), mistake.secret)
		})
	}
}
