package page

import (
	"strings"
	"testing"

	"golang.org/x/text/language"
)

// offered are the languages of the tests, English first.
var offered = []string{"en", "ko", "de", "pt-BR", "zh-Hant"}

func newMatcher() language.Matcher {
	tags := make([]language.Tag, len(offered))
	for i, name := range offered {
		tags[i] = language.MustParse(name)
	}
	return language.NewMatcher(tags)
}

func TestNegotiate(t *testing.T) {
	matcher := newMatcher()
	for _, test := range []struct{ name, accept, want string }{
		{"nothing", "", "en"},
		{"a language", "ko", "ko"},
		{"a language of a country", "ko-KR", "ko"},
		{"a browser in Korea", "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"},
		{"a browser in Britain", "en-GB,en;q=0.9,ko;q=0.8", "en"},
		{"a browser in Austria", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"letter case", "KO-kr", "ko"},
		{"the letter case of q", "en;Q=0.1,ko;Q=0.2", "ko"},
		{"spaces and tabs", "  en ; q=0.1 ,\tko ; q=0.2 ", "ko"},
		{"the higher weight", "en;q=0.4, ko;q=0.5", "ko"},
		{"the first of equals", "de, ko", "de"},
		{"a narrower English before Korean of equal weight", "en-AU, ko", "en"},
		{"a weight of 0 is a refusal", "ko;q=0, de;q=0.1", "de"},
		{"all refused", "ko;q=0, *;q=0", "en"},
		{"anything", "*", "en"},
		{"anything before a language of lower weight", "*;q=0.5, ko;q=0.1", "en"},
		{"a language before anything of equal weight", "*, ko", "ko"},
		{"what is not offered", "fr", "en"},
		{"what is not offered before what is", "fr, ja;q=0.9, ko;q=0.1", "ko"},
		{"a wider language serves", "pt", "pt-BR"},
		{"a script", "zh-TW", "zh-Hant"},
		{"a tag that does not exist says nothing of the others", "zz-Zzzz-99, ko", "ko"},
		{"neither do letters that are none", "한국어, ko", "ko"},
		{"nor a weight that is none", "de;q=high, ko;q=0.1", "ko"},
		{"nor one over 1", "de;q=2, ko;q=0.1", "ko"},
		{"nor one that is not a number", "de;q=NaN, ko;q=0.1", "ko"},
		{"nor a negative one", "de;q=-1, ko;q=0.1", "ko"},
		{"nor a parameter of another name", "de;level=1, ko;q=0.1", "ko"},
		{"empty members", ",, ,ko,,", "ko"},
		{"an underscore", "ko_KR", "ko"},
		{"hostile: control characters", "\x00\x1b[31m, \r\nSet-Cookie: a=b", "en"},
		{"hostile: a template", "{{.TraceID}}<script>", "en"},
		{"hostile: a path", "../../etc/passwd, ko/../de", "en"},
		{"hostile: too long to be read", strings.Repeat("fr,", 200) + "ko", "en"},
		{"hostile: too long by a space", "ko" + strings.Repeat(" ", 511), "en"},
		{"hostile: too many ranges", strings.Repeat("fr,", 32) + "ko", "en"},
		{"hostile: hyphens", strings.Repeat("-", 500), "en"},
		{"hostile: subtags", "ko" + strings.Repeat("-a", 200), "en"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := offered[negotiate([]string{test.accept}, matcher)]; got != test.want {
				t.Errorf("%q: got %s, want %s", test.accept, got, test.want)
			}
		})
	}
	t.Run("several fields are one list", func(t *testing.T) {
		if got := offered[negotiate([]string{"fr", "ko;q=0.2", "de;q=0.3"}, matcher)]; got != "de" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("no field", func(t *testing.T) {
		if got := offered[negotiate(nil, matcher)]; got != "en" {
			t.Errorf("got %s", got)
		}
	})
}

// FuzzAcceptLanguage asks with any Accept-Language. The answer is an available
// language, always the same one. Ranges are bounded and sorted by their weights. A
// client that prefers English gets English, and so does one with an unreadable or too
// long field.
func FuzzAcceptLanguage(f *testing.F) {
	for _, accept := range []string{
		"", "*", "ko-KR,ko;q=0.9,en-US;q=0.8", "de;q=0.5;q=1", ";;;q=,,=", "ko;q=1e400", "pt;q=0x1p-2", "zh-Hant-TW-u-co-stroke-x-private",
		"en-a-b-c-d", "i-klingon, x-whatever", "\xff\xfe, ko;q=-0", "mul, und;q=1", "art-lojban,sgn-BE-FR",
	} {
		f.Add(accept, "de;q=0.1")
	}
	matcher := newMatcher()
	f.Fuzz(func(t *testing.T, first, second string) {
		accept := []string{first, second}
		ranges := parse(accept)
		if len(ranges) > maxRanges {
			t.Fatalf("%d ranges", len(ranges))
		}
		for i, r := range ranges {
			if !(r.weight > 0 && r.weight <= 1) || i > 0 && r.weight > ranges[i-1].weight {
				t.Fatalf("%q: %v", accept, ranges)
			}
		}
		chosen := negotiate(accept, matcher)
		if chosen < 0 || chosen >= len(offered) {
			t.Fatalf("%q: %d", accept, chosen)
		}
		if len(ranges) == 0 && chosen != 0 {
			t.Errorf("%q: nothing is asked for, and the answer is %s", accept, offered[chosen])
		}
		if first := negotiate(append([]string{"en"}, accept...), matcher); first != 0 {
			t.Errorf("%q: English comes first, and the answer is %s", accept, offered[first])
		}
		if long := negotiate(append(accept, strings.Repeat("ko,", 200)), matcher); long != 0 {
			t.Errorf("%q: a field beyond the bounds is answered in %s", accept, offered[long])
		}
		if again := negotiate(accept, matcher); again != chosen {
			t.Errorf("%q: once %s, once %s", accept, offered[chosen], offered[again])
		}
	})
}
