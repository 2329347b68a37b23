package denial

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/page"
)

// LoadPages reads a folder of pages, see [page.Load].
func LoadPages(folder string) (*page.Set, error) {
	set, err := loadPages(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("pages %s: %w", folder, err)
	}
	return set, nil
}

// BuiltInPages are the pages of a configuration that names no folder.
var BuiltInPages = sync.OnceValues(func() (*page.Set, error) { return loadPages(nil) })

func loadPages(folder fs.FS) (*page.Set, error) {
	cases := []page.Case{
		{Status: http.StatusRequestHeaderFieldsTooLarge, Code: string(authn.CodeInvalidRequest)},
		{Status: http.StatusRequestEntityTooLarge, Code: string(authn.CodeInvalidRequest)},
	}
	for _, code := range authn.Codes() {
		cases = append(cases, page.Case{Status: code.Status(), Code: string(code)})
	}
	return page.Load(folder, cases)
}

// The policies of pages: no script runs, nothing is loaded from elsewhere, and no site
// can frame them. An own template may use pictures, fonts and styles of the site, and a
// form for it.
const (
	builtInPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	ownPolicy     = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

// crossSite is the variant of a page about a request of another site.
const crossSite = "cross_site"

// writePage is the body for people in front of a browser.
func writePage(d Denial, r *http.Request, h http.Header) ([]byte, error) {
	pages := d.Pages
	if pages == nil {
		var err error
		if pages, err = BuiltInPages(); err != nil {
			return nil, err
		}
	}
	login := d.LoginURL
	if d.Status() != http.StatusUnauthorized {
		login = "" // the user is signed in, or signing in does not help
	}
	variant := ""
	if d.CrossSite {
		variant = crossSite
	}
	rendered, err := pages.Render(page.Facts{
		Case:           page.Case{Status: d.Status(), Code: string(d.Code)},
		Variant:        variant,
		RequiredScopes: d.RequiredScopes,
		RequiredRoles:  d.RequiredRoles,
		RetryAfter:     d.RetryAfter,
		LoginURL:       login,
		TraceID:        d.TraceID,
	}, r.Header["Accept-Language"])
	if err != nil {
		return nil, err
	}
	addVary(h, "Accept-Language")
	h.Set("Content-Language", rendered.Language)
	h.Set("Content-Security-Policy", builtInPolicy)
	if rendered.Own {
		h.Set("Content-Security-Policy", ownPolicy)
	}
	return rendered.HTML, nil
}
