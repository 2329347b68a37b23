package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instant matches a literal instant between 2014 and 2089: in seconds since 1970,
// as RFC 3339 writes it, or as an argument of time.Date. The present passes such an
// instant, and what depends on it changes on that day.
var instant = regexp.MustCompile(`\b(?:1[4-9]|2\d|3[0-7])\d{8}\b|\b(?:1_[4-9]|[23]_\d)\d\d_\d{3}_\d{3}\b|\b(?:1\.[4-9]|[23]\.\d)\d*[eE]9\b|\b20(?:1[4-9]|[2-8]\d)-\d\d-\d\dT\d\d|time\.Date\(20(?:1[4-9]|[2-8]\d)`)

// safeInstants are the literal instants that no test compares with the clock.
var safeInstants = map[string]string{
	"1562262616": "iat of the proof in RFC 9449, judged by a clock of its own",
	"1562262618": "that clock",
	"2130706433": "127.0.0.1 as a number",
	"2147483647": "the largest count of a list of Redis",
}

// TestClock finds literal instants in tests, examples and documentation. Years long
// past and after 2089 are safe.
func TestClock(t *testing.T) {
	t.Run("TIME-1: the pattern finds every way to write an instant", func(t *testing.T) {
		for _, text := range []string{"exp: 1800000000,", "1_800_000_000", "1.8000e9", "2027-01-01T00:00:00Z", "time.Date(2030, 1"} {
			if !instant.MatchString(text) {
				t.Errorf("%s is not found", text)
			}
		}
		for _, text := range []string{"1000000000", "1_000_000_000", "2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "2026-07-28", "time.Date(2001, 1", "12345678901", "1.0e9"} {
			if found := instant.FindString(text); found != "" {
				t.Errorf("%s is found in %s", found, text)
			}
		}
	})
	t.Run("TIME-1: no test, example or page has a literal instant that the clock will pass", func(t *testing.T) {
		files := 0
		err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains([]string{".git", "node_modules", "images"}, entry.Name()):
				return filepath.SkipDir
			case entry.IsDir() || entry.Name() == "package-lock.json" || entry.Name() == "clock_test.go" || strings.HasPrefix(entry.Name(), "go."):
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for number, line := range strings.Split(string(text), "\n") {
				for _, found := range instant.FindAllString(line, -1) {
					if safeInstants[found] == "" {
						t.Errorf("%s:%d: %s: take an instant from the clock of the test, one before 2014 or one after 2089", path, number+1, found)
					}
				}
			}
			return nil
		})
		if err != nil || files < 300 {
			t.Errorf("%d files, %v", files, err)
		}
	})
}
