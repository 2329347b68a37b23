package configuration

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// guarded is in every answer of what stands behind the gates below.
const guarded = "TOP SECRET"

// TestDenied tests handlers around a gate that may answer when it denies. A
// configuration that could answer with the guarded resource is refused, and a loaded
// one never does. SITE stands for the folder of the site, PAGES for one with pages
// alone, UP for the upstream.
func TestDenied(t *testing.T) {
	site, pages := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(site, "secret.html"): guarded, filepath.Join(site, "index.html"): "front page",
		filepath.Join(pages, "openapi.json"): `{"openapi": "3.1.0", "paths": {"/x": {"get": {}}}}`, filepath.Join(site, "401.html"): "page of 401", filepath.Join(pages, "401.html"): "page of 401", filepath.Join(site, "404.html"): "page of 404",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "secret") {
			_, _ = w.Write([]byte(guarded))
			return
		}
		_, _ = w.Write([]byte("page at " + r.URL.Path))
	}))
	t.Cleanup(upstream.Close)
	replace := strings.NewReplacer("SITE", site, "PAGES", pages, "UP", strings.TrimPrefix(upstream.URL, "http://"))
	configure := func(lines string) string {
		return replace.Replace("{\nauth {\nclient_cert\n}\n}\n" + lines)
	}
	s := harness.Start(t, configure("http://localhost:8080 {\nrespond ok\n}\n"))
	for name, lines := range refusedAnswers {
		t.Run("DENY-1: refused, "+name, func(t *testing.T) {
			err := s.TryReload(configure(lines))
			if err == nil {
				t.Fatalf("it is loaded, and answers %q", s.Get("/secret.html").Body)
			}
			if !strings.Contains(err.Error(), "may answer a denied request with what it was denied") {
				t.Error(err)
			}
		})
	}
	for name, c := range loadedAnswers {
		t.Run("DENY-1: loaded, "+name, func(t *testing.T) {
			s.Reload(configure(c.lines))
			for _, path := range []string{"/secret.html", "/secret.html?x=%2Fsecret.html", "/./secret.html", "//secret.html", "/x/../secret.html", "/secret%2Ehtml", "/SECRET.html"} {
				r := s.Get(path, harness.Header("X-Page", "secret.html"), harness.Header("X-Trace-Id", "secret.html"))
				if r.Status == http.StatusOK || strings.Contains(r.Body, guarded) {
					t.Errorf("%s: %d %q", path, r.Status, r.Body)
				}
			}
			if r := s.Get("/secret.html"); !strings.Contains(r.Body, c.want) {
				t.Errorf("%d %q, want %q", r.Status, r.Body, c.want)
			}
		})
	}
}

const (
	guardedFiles = "http://localhost:8080 {\nroot SITE\nrequire_auth\nfile_server\n"
	guardedProxy = "http://localhost:8080 {\nrequire_auth\nreverse_proxy UP\n"
)

var refusedAnswers = map[string]string{
	"a file server":                                    guardedFiles + "handle_errors {\nfile_server\n}\n}",
	"the usual page of a 404":                          guardedFiles + "handle_errors {\n@404 expression {err.status_code} == 404\nrewrite @404 /404.html\nfile_server\n}\n}",
	"pages for one status":                             guardedFiles + "handle_errors 401 {\nfile_server\n}\n}",
	"pages for all of 4xx":                             guardedFiles + "handle_errors 4xx {\nfile_server\n}\n}",
	"pages for all others":                             guardedFiles + "handle_errors 401 {\nrespond sorry\n}\nhandle_errors {\nfile_server\n}\n}",
	"a status that is left out":                        guardedFiles + "handle_errors {\n@others not expression `{err.status_code} == 401`\nfile_server @others\n}\n}",
	"a file that is there":                             guardedFiles + "handle_errors {\ntry_files {path} /{err.status_code}.html\nfile_server\n}\n}",
	"pages that may be missing":                        guardedFiles + "handle_errors {\ntry_files /{err.status_code}.html /401.html\nfile_server\n}\n}",
	"a rewrite with the path":                          guardedFiles + "handle_errors {\nrewrite * /x{path}\nuri strip_prefix /x\nfile_server\n}\n}",
	"a rewrite with the original URI":                  guardedFiles + "handle_errors {\nrewrite * {http.request.orig_uri}\nfile_server\n}\n}",
	"the original URI behind a page":                   guardedFiles + "handle_errors {\nrewrite * /401.html\nrewrite * {http.request.orig_uri.path}\nfile_server\n}\n}",
	"a field of the request":                           guardedFiles + "handle_errors {\nrewrite * /{header.X-Page}\nfile_server\n}\n}",
	"the query":                                        guardedFiles + "handle_errors {\nrewrite * {query.x}\nfile_server\n}\n}",
	"a trace id that the client chooses":               guardedFiles + "handle_errors {\nrewrite * /{http.auth.trace_id}\nfile_server\n}\n}",
	"a part that a matcher took":                       guardedFiles + "handle_errors {\n@page path_regexp page ^/(.+)$\nrewrite @page /{re.page.1}\nfile_server\n}\n}",
	"a variable":                                       guardedFiles + "handle_errors {\nvars page {path}\nrewrite * {vars.page}\nfile_server\n}\n}",
	"a map with a part of its source":                  guardedFiles + "handle_errors {\nmap {path} {page} {\n~^(.*)$ $1\n}\nrewrite * {page}\nfile_server\n}\n}",
	"a page with a replaced part":                      guardedFiles + "handle_errors {\nrewrite * /page\nuri replace /page {http.request.orig_uri.path}\nfile_server\n}\n}",
	"a root that the request chooses":                  guardedFiles + "handle_errors {\nroot SITE{http.request.orig_uri.path.dir}\nrewrite * /secret.html\nfile_server\n}\n}",
	"a suffix alone":                                   guardedFiles + "handle_errors {\nuri strip_suffix .html\nfile_server\n}\n}",
	"a handle among the error routes":                  guardedFiles + "handle_errors {\nhandle /x {\nrespond sorry\n}\nhandle {\nfile_server\n}\n}\n}",
	"a folder of assets with the secret":               guardedFiles + "handle_errors {\nroute {\nfile_server /*.html\nrespond sorry\n}\n}\n}",
	"a gate among the error routes":                    guardedFiles + "handle_errors {\nrequire_auth\nfile_server\n}\n}",
	"a named route":                                    "&(files) {\nfile_server\n}\n" + guardedFiles + "handle_errors {\ninvoke files\n}\n}",
	"a gate in a named route":                          "&(gate) {\nrequire_auth\n}\nhttp://localhost:8080 {\nroot SITE\ninvoke gate\nfile_server\nhandle_errors {\nfile_server\n}\n}",
	"a snippet":                                        "(pages) {\nhandle_errors {\nfile_server\n}\n}\n" + guardedFiles + "import pages\n}",
	"a snippet inside":                                 "(pages) {\nfile_server\n}\n" + guardedFiles + "handle_errors {\nimport pages\n}\n}",
	"a gate in a handle":                               "http://localhost:8080 {\nroot SITE\nhandle /secret* {\nrequire_auth\nfile_server\n}\nhandle_errors {\nfile_server\n}\n}",
	"a gate with a matcher":                            "http://localhost:8080 {\nroot SITE\nrequire_auth /secret*\nfile_server\nhandle_errors {\nfile_server /secret*\n}\n}",
	"a gate behind a site without":                     "http://localhost:8080 {\nroot SITE\nfile_server\nhandle_errors {\nfile_server\n}\n}\nhttp://127.0.0.1:8080 {\nroot SITE\nrequire_auth\nfile_server\nhandle_errors {\nfile_server\n}\n}",
	"a 404 of a gate that hides":                       "http://localhost:8080 {\nroot SITE\nrequire_auth {\nhide all\n}\nfile_server\nhandle_errors 404 {\nfile_server\n}\n}",
	"the same upstream":                                guardedProxy + "handle_errors {\nreverse_proxy UP\n}\n}",
	"the same upstream without a prefix":               guardedProxy + "handle_errors {\nuri strip_prefix /errors\nreverse_proxy UP\n}\n}",
	"the same upstream for 404 and a gate that hides":  "http://localhost:8080 {\nrequire_auth {\nhide\n}\nreverse_proxy UP\nhandle_errors 404 {\nreverse_proxy UP\n}\n}",
	"a rewrite in the proxy":                           guardedProxy + "handle_errors {\nreverse_proxy UP {\nrewrite /x{uri}\n}\n}\n}",
	"files for the answer of a proxy":                  guardedFiles + "handle_errors {\nreverse_proxy UP {\nrewrite /page\n@any status 2xx\nhandle_response @any {\nfile_server\n}\n}\n}\n}",
	"PHP":                                              guardedFiles + "handle_errors {\nphp_fastcgi UP\n}\n}",
	"PHP on a page, told of the request":               guardedFiles + "handle_errors {\nrewrite * /error.php\nphp_fastcgi UP\n}\n}",
	"a template with text of the request":              guardedFiles + "handle_errors {\ntemplates\nrespond \"not for you: {path}\"\n}\n}",
	"metrics":                                          "http://localhost:8080 {\nrequire_auth\nmetrics\nhandle_errors {\nmetrics\n}\n}",
	"an intercept among error routes":                  guardedFiles + "handle_errors {\nintercept {\nhandle_response {\nfile_server\n}\n}\nrespond x\n}\n}",
	"an intercept of any status among error routes":    guardedFiles + "handle_errors {\nintercept {\n@teapot status 418\nhandle_response @teapot {\nfile_server\n}\n}\nrespond x 418\n}\n}",
	"a proxy in an intercept among error routes":       guardedProxy + "handle_errors {\nintercept {\nhandle_response {\nreverse_proxy UP\n}\n}\nrespond x\n}\n}",
	"an intercept in a named error route":              "&(pages) {\nintercept {\nhandle_response {\nfile_server\n}\n}\nrespond x\n}\n" + guardedFiles + "handle_errors {\ninvoke pages\n}\n}",
	"a 404 page beside a gate with openapi":            "http://localhost:8080 {\nroot SITE\nrequire_auth {\nopenapi PAGES/openapi.json\n}\nfile_server\nhandle_errors 404 {\nfile_server\n}\n}",
	"a proxy for 404 beside a gate with openapi":       "http://localhost:8080 {\nrequire_auth {\nopenapi PAGES/openapi.json\n}\nreverse_proxy UP\nhandle_errors {\n@404 expression {err.status_code} == 404\nreverse_proxy @404 UP\n}\n}",
	"a proxy for 413 beside a gate that reads bodies":  "http://localhost:8080 {\nrequire_auth {\nmcp {\ninspect 1KiB\ntool x s\n}\n}\nreverse_proxy UP\nhandle_errors 413 {\nreverse_proxy UP\n}\n}",
	"an intercept whose page is missing":               "http://localhost:8080 {\nroot SITE\nintercept {\n@e status 401 403\nhandle_response @e {\nrewrite * /nope/{resp.status_code}.html\nfile_server\n}\n}\nhandle /secret* {\nrequire_auth\nfile_server\n}\nhandle_errors 404 {\nfile_server\n}\n}",
	"an intercept that fails with a status of its own": "http://localhost:8080 {\nroute {\nintercept {\nhandle_response {\nerror 418\n}\n}\nrequire_auth\nreverse_proxy UP\n}\nhandle_errors 418 {\nreverse_proxy UP\n}\n}",
	"an intercept around a handle_path":                "http://localhost:8080 {\nroot SITE\nintercept {\n@e status 4xx\nhandle_response @e {\nhandle /secret* {\nfile_server\n}\nrespond denied 401\n}\n}\nhandle_path /app/* {\nrequire_auth\nfile_server\n}\n}",
	"an error before the gate":                         "http://localhost:8080 {\nroot SITE\nroute {\n@long header X-Long *\nerror @long 418\nrequire_auth\nfile_server\n}\nhandle_errors 418 {\nfile_server\n}\n}",
	"a missing file before the gate":                   "http://localhost:8080 {\nroot SITE\ntry_files {path} =404\nrequire_auth\nreverse_proxy UP\nhandle_errors 404 {\nreverse_proxy UP\n}\n}",
	"a proxy that asks before the gate":                "http://localhost:8080 {\nroot SITE\nroute {\nforward_auth 127.0.0.1:1 {\nuri /x\n}\nrequire_auth\nfile_server\n}\nhandle_errors 502 {\nfile_server\n}\n}",
	"a map that an earlier one hides":                  "http://localhost:8080 {\nroot SITE\nmap {path} {page} {\n~(.*) ${1}\n}\nrequire_auth\nfile_server\nhandle_errors {\nmap {err.status_code} {page} {\n404 /404.html\n}\nrewrite * {page}\nfile_server\n}\n}",
	"an intercept without a field of the upstream":     "http://localhost:8080 {\nroot SITE\nroute {\nintercept {\n@accel header X-Content-Type-Options *\nhandle_response @accel {\nfile_server\n}\n}\nrequire_auth\nfile_server\n}\n}",
	"a listing":                                        guardedFiles + "handle_errors {\nrewrite * /\nfile_server browse\n}\n}",
	"an index that the request chooses":                guardedFiles + "handle_errors {\nrewrite * /\nfile_server {\nindex {http.request.orig_uri.path}\n}\n}\n}",
	"an intercept":                                     "http://localhost:8080 {\nroot SITE\nroute {\nintercept {\n@refused status 401 403\nhandle_response @refused {\nfile_server\n}\n}\nrequire_auth\nfile_server\n}\n}",
	"an intercept of all":                              "http://localhost:8080 {\nroot SITE\nroute {\nintercept {\nhandle_response {\nfile_server\n}\n}\nrequire_auth\nfile_server\n}\n}",
	"an intercept in another route":                    "http://localhost:8080 {\nroot SITE\nroute {\nroute {\nintercept {\n@refused status 4xx\nhandle_response @refused {\nfile_server\n}\n}\n}\nhandle {\nrequire_auth\nfile_server\n}\n}\n}",
	"a gate behind an upstream's answer":               "http://localhost:8080 {\nreverse_proxy UP {\n@any status 2xx\nhandle_response @any {\nrequire_auth\ncopy_response\n}\n}\nhandle_errors {\nreverse_proxy UP\n}\n}",
	"the answer that waits behind a gate":              "http://localhost:8080 {\nreverse_proxy UP {\n@any status 2xx\nhandle_response @any {\nrequire_auth\ncopy_response\n}\n}\nhandle_errors {\ncopy_response\n}\n}",
}

var loadedAnswers = map[string]struct{ lines, want string }{
	"no pages":                                    {guardedFiles + "}", "missing_credentials"},
	"a page for each status":                      {guardedFiles + "handle_errors {\nrewrite * /{err.status_code}.html\nfile_server\n}\n}", "page of 401"},
	"pages in a folder of their own":              {guardedFiles + "handle_errors {\nroot PAGES\nrewrite * /{err.status_code}.html\nfile_server\n}\n}", "page of 401"},
	"a page that a matcher finds":                 {guardedFiles + "handle_errors {\n@page file /{err.status_code}.html\nhandle @page {\nrewrite * {file_match.relative}\nfile_server\n}\nrespond sorry\n}\n}", "page of 401"},
	"a page by a map":                             {guardedFiles + "handle_errors {\nmap {err.status_code} {page} {\n401 401.html\ndefault 404.html\n}\nrewrite * /{page}\nfile_server\n}\n}", "page of 401"},
	"a page by a variable":                        {guardedFiles + "handle_errors {\nroute {\nvars page 401\nrewrite * /{vars.page}.html\nfile_server\n}\n}\n}", "page of 401"},
	"files for a 404 alone":                       {guardedFiles + "handle_errors {\n@404 expression {err.status_code} == 404\nrewrite @404 /404.html\nfile_server @404\n}\n}", "missing_credentials"},
	"files for other statuses":                    {guardedFiles + "handle_errors 404 410 502 {\nfile_server\n}\n}", "missing_credentials"},
	"files for what is not denied":                {guardedFiles + "handle_errors {\n@denied `{err.status_code} in [400, 401, 403, 425, 429, 431] || {err.status_code} >= 500`\nrespond @denied sorry\nfile_server\n}\n}", "sorry"},
	"the pages of another server":                 {guardedProxy + "handle_errors {\nrewrite * /{err.status_code}.html\nreverse_proxy UP {\nreplace_status {err.status_code}\n}\n}\n}", "page at /401.html"},
	"pages that are copied":                       {guardedProxy + "handle_errors {\nrewrite * /{err.status_code}.html\nreverse_proxy UP {\n@ok status 2xx\nhandle_response @ok {\ncopy_response {\nstatus {err.status_code}\n}\n}\n}\n}\n}", "page at /401.html"},
	"a text with the path":                        {guardedFiles + "handle_errors {\nrespond \"not for you: {path}\"\n}\n}", "not for you: /secret.html"},
	"a template of a page":                        {guardedFiles + "handle_errors {\nrewrite * /401.html\ntemplates\nfile_server\n}\n}", "page of 401"},
	"a template in the text":                      {guardedFiles + "handle_errors {\ntemplates\nrespond `{{\"page\"}} of {err.status_code}`\n}\n}", "page of 401"},
	"a way to sign in":                            {guardedFiles + "handle_errors 401 {\nredir /login?next={http.request.orig_uri} 303\n}\n}", ""},
	"a field and a text":                          {guardedFiles + "handle_errors {\nheader X-A {path}\nrespond sorry\n}\n}", "sorry"},
	"assets that are not guarded":                 {"http://localhost:8080 {\nroot SITE\nrequire_auth /secret*\nfile_server\nhandle_errors {\nroute {\nfile_server /assets/*\nrespond sorry\n}\n}\n}", "sorry"},
	"pages of another site":                       {"http://other.localhost:8080 {\nroot SITE\nfile_server\nhandle_errors {\nfile_server\n}\n}\n" + guardedFiles + "}", "missing_credentials"},
	"pages beside an intercept":                   {"http://localhost:8080 {\nroot SITE\nroute {\nintercept {\n@e status 401 403\nhandle_response @e {\nrewrite * /nope.html\nfile_server\n}\n}\nrequire_auth\nfile_server\n}\nhandle_errors {\nrewrite * /{err.status_code}.html\nfile_server\n}\n}", "page of 404"},
	"pages beside an error before the gate":       {"http://localhost:8080 {\nroot SITE\nroute {\nerror /private* 403\nrequire_auth\nfile_server\n}\nhandle_errors {\nrewrite * /401.html\nfile_server\n}\n}", "page of 401"},
	"an error elsewhere":                          {"http://localhost:8080 {\nroot SITE\nhandle /open/* {\nerror 418\n}\nhandle {\nrequire_auth\nfile_server\n}\nhandle_errors 418 {\nfile_server\n}\n}", "missing_credentials"},
	"one map for pages":                           {"http://localhost:8080 {\nroot SITE\nrequire_auth\nfile_server\nhandle_errors {\nmap {err.status_code} {page} {\n401 /401.html\ndefault /404.html\n}\nrewrite * {page}\nfile_server\n}\n}", "page of 401"},
	"files that the upstream asks for":            {"http://localhost:8080 {\nroot SITE\nintercept {\n@accel header X-Accel-Redirect *\nhandle_response @accel {\nroot * SITE\nrewrite * {resp.header.X-Accel-Redirect}\nmethod GET\nfile_server\n}\n}\nhandle {\nrequire_auth\nreverse_proxy UP\n}\nhandle_errors 404 {\nrespond \"no page\"\n}\n}", "missing_credentials"},
	"a missing file behind the gate":              {"http://localhost:8080 {\nroot SITE\nroute {\nrequire_auth\ntry_files {path} =404\nfile_server\n}\nhandle_errors 404 {\nreverse_proxy UP\n}\n}", "missing_credentials"},
	"a missing file elsewhere":                    {"http://localhost:8080 {\nroot SITE\nhandle /open/* {\ntry_files {path} =404\nfile_server\n}\nhandle {\nrequire_auth\nfile_server\n}\nhandle_errors 404 {\nreverse_proxy UP\n}\n}", "missing_credentials"},
	"pages beside a gate with openapi":            {"http://localhost:8080 {\nroot SITE\nrequire_auth {\nopenapi PAGES/openapi.json\n}\nfile_server\nhandle_errors {\nrewrite * /{err.status_code}.html\nfile_server\n}\n}", "page of 401"},
	"an intercept with a page among error routes": {guardedFiles + "handle_errors {\nintercept {\nhandle_response {\nrewrite * /401.html\nfile_server {\nstatus 401\n}\n}\n}\nrespond x\n}\n}", "page of 401"},
	"an intercept of other statuses":              {"http://localhost:8080 {\nroot SITE\nroute {\nintercept {\n@missing status 404\nhandle_response @missing {\nfile_server\n}\n}\nrequire_auth\nfile_server\n}\n}", "missing_credentials"},
	"an intercept behind the gate":                {guardedFiles + "intercept {\n@refused status 401\nhandle_response @refused {\nfile_server\n}\n}\n}", "missing_credentials"},
	"an intercept with a page":                    {"http://localhost:8080 {\nroot SITE\nroute {\nintercept {\n@refused status 401 403\nhandle_response @refused {\nrewrite * /{resp.status_code}.html\nfile_server {\nstatus {resp.status_code}\n}\n}\n}\nrequire_auth\nfile_server\n}\n}", "page of 401"},
}
