package clientcert

import (
	"crypto/x509/pkix"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		field         Field
		pattern, name string
		want          bool
	}{
		{CommonName, "robot", "robot", true},
		{CommonName, "robot", "Robot", false},
		{CommonName, "robot", "robot2", false},
		{CommonName, "robot", "a robot", false},
		{CommonName, "robot*", "robot", true},
		{CommonName, "robot*", "robot2", true},
		{CommonName, "robot*", "a robot", false},
		{CommonName, "*", "anything", true},
		{CommonName, `*,x`, `a\,x`, true},
		{CommonName, "[a-z]*", "robot", false},
		{CommonName, "r?bot", "robot", false},
		{SANDNS, "*.example.com", "a.example.com", true},
		{SANDNS, "*.example.com", "a.b.example.com", true},
		{SANDNS, "*.example.com", "example.com", false},
		{SANDNS, "*.example.com", "a.example.com.evil", false},
		{SANDNS, "*.example.com", "aXexample.com", false},
		{SANEmail, "*@example.com", "robot@example.com", true},
		{SANEmail, "*@example.com", "robot@evil-example.com", false},
		{SANURI, "spiffe://example/*", "spiffe://example/robot", true},
		{SANURI, "spiffe://example/*", "spiffe://example.evil/robot", false},
		{Subject, "CN=robot,O=Example", "CN=robot,O=Example", true},
		{Subject, "CN=robot,*", "CN=robot,O=Example", true},
		{Subject, "CN=robot,*", `CN=robot\,O=Example`, false},
		{Subject, "CN=robot,*", "CN=robot2,O=Example", false},
		{Subject, "*,O=Example", "CN=robot,O=Example", true},
		{Subject, "*,O=Example", "CN=robot+OU=x,O=Example", true},
		{Subject, "*,O=Example", `CN=robot\\,O=Example`, true},
		{Subject, "*,O=Example", `CN=robot\,O=Example`, false},
		{Subject, "*,O=Example", `CN=robot\\\,O=Example`, false},
		{Subject, "*,O=Example", `CN=robot\+\,O=Example`, false},
		{Subject, "*,O=Example", "CN=O=Example", false},
		{Subject, "*", `CN=robot\\`, true},
		{Issuer, "*,O=Example", `CN=CA\,O=Example`, false},
		{Issuer, "*,O=Example", `CN=CA,O=Example`, true},
	} {
		t.Run("R8705-3: "+string(test.field)+" "+test.pattern+" on "+test.name, func(t *testing.T) {
			if err := test.field.checkPattern(test.pattern); err != nil {
				t.Fatal(err)
			}
			if got := test.field.matches(test.pattern, test.name); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestRuleNeedsTheField(t *testing.T) {
	t.Run("R8705-3: a certificate without the field does not match it, not even *", func(t *testing.T) {
		for _, field := range fields {
			if (Rule{Match: map[Field]string{field: "*"}}).applies(names{}) {
				t.Errorf("%s applies", field)
			}
		}
	})
}

// FuzzSubjectEnd looks for a common name that is taken for an organization.
func FuzzSubjectEnd(f *testing.F) {
	for _, seed := range []string{"", "robot", ",O=Example", `\,O=Example`, `\\,O=Example`, `+O=Example`, `",O=Example`, "#,O=Example", " ,O=Example", "O=Example", "\x00,O=Example", "\xff,O=Example"} {
		f.Add(seed, "", false)
		f.Add(seed, seed, true)
	}
	f.Fuzz(func(t *testing.T, common, unit string, belongs bool) {
		subject := pkix.Name{CommonName: common}
		if unit != "" {
			subject.OrganizationalUnit = []string{unit}
		}
		if belongs {
			subject.Organization = []string{"Example"}
		}
		// With neither in front of it there is no comma to find.
		want := belongs && (common != "" || unit != "")
		if got := Subject.matches("*,O=Example", subject.String()); got != want {
			t.Errorf("%q: %t", subject, got)
		}
		if got := Subject.matches("CN=admin,*", subject.String()); got && common != "admin" {
			t.Errorf("%q is taken for admin", subject)
		}
	})
}

func TestListed(t *testing.T) {
	if got := joinFields(fields); got != "subject, common_name, san_dns, san_uri, san_email or issuer" || strings.Contains(joinFields(userFields), "issuer") {
		t.Errorf("got %s and %s", got, joinFields(userFields))
	}
}
