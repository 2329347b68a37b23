package commands

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/lint"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// TestLintLog has default loggers and what they show of two credentials: a key in
// a field, and a token in the query.
func TestLintLog(t *testing.T) {
	const field, query = "request>headers>X-Api-Key delete\n", "request>uri query {\ndelete access_token\n}\n"
	filter := func(lines string) string { return "log {\nformat filter {\nwrap json\n" + lines + "}\n}\n" }
	for name, c := range map[string]struct{ global, want string }{
		"no logger":                        {"", "query access_token, header X-API-Key"},
		"a logger without a filter":        {"log {\nformat json\n}\n", "query access_token, header X-API-Key"},
		"a filter of the field":            {filter(field), "query access_token"},
		"a filter of the query":            {filter(query), "header X-API-Key"},
		"a filter of both":                 {filter(field + query), ""},
		"a filter of another field":        {filter("request>headers>X-Other delete\n" + query), "header X-API-Key"},
		"a filter of another parameter":    {filter(field + "request>uri query {\ndelete other\n}\n"), "query access_token"},
		"a filter of the whole URI":        {filter(field + "request>uri delete\n"), ""},
		"a filter of the whole request":    {filter("request delete\n"), ""},
		"a filter on another logger":       {strings.Replace(filter(field+query), "log {", "log other {", 1), "query access_token, header X-API-Key"},
		"a logger that drops everything":   {"log {\noutput discard\n}\n", ""},
		"a logger without HTTP":            {"log {\nexclude http.log\n}\n", ""},
		"a logger without access logs":     {"log {\nexclude http.log.access\n}\n", "query access_token, header X-API-Key"},
		"a logger of something else alone": {"log {\ninclude tls\n}\n", ""},
	} {
		t.Run("LEAK-5: "+name, func(t *testing.T) {
			config, err := harness.Adapt("{\n" + c.global + "auth {\napi_key keys {\nkeys_file keys.json\n}\nbearer corp {\nissuer https://idp.example.com\naudience a\ntoken_from header\ntoken_from query\n}\n}\n}\n" +
				"a.example.com {\nrequire_auth keys corp\nrespond ok\n}\n")
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := routes.Parse(config)
			if err != nil {
				t.Fatal(err)
			}
			var reported []string
			for _, finding := range lint.Run(parsed) {
				if _, what, ok := strings.Cut(finding.What, "the default logger shows the "); ok && finding.Rule.ID == "error-log" {
					reported = append(reported, what)
				}
			}
			if got := strings.Join(reported, ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
