// Package page renders the HTML pages of denials. They are small and load nothing from
// elsewhere: no script, no font, no picture. English and Korean are built in. A folder
// of files adds languages and templates, see docs/pages.md.
//
// Everything is read and rendered once when a configuration is loaded. A request reads
// no file.
package page

import (
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Case is a possible subject of a page: a code and its status.
type Case struct {
	Status int
	Code   string
}

// Facts are the content of one page.
type Facts struct {
	Case

	// Variant selects other texts for the code, such as cross_site. Empty: the usual
	// texts.
	Variant string

	// RequiredScopes and RequiredRoles are the requirement of the route.
	RequiredScopes, RequiredRoles []string

	// RetryAfter is when to try again. Zero is not shown.
	RetryAfter time.Duration

	// LoginURL is where to sign in. Empty: no link.
	LoginURL string

	// TraceID connects the page with the log.
	TraceID string
}

// Page is a rendered page.
type Page struct {
	HTML     []byte
	Language string // a tag of BCP 47
	Own      bool   // whether the template is the operator's
}

// Set is pages for every status in several languages. It is immutable.
type Set struct {
	editions map[int]*edition
	consent  *consent
}

// edition is the page of one status, with a translation for each language.
type edition struct {
	languages    language.Matcher // of the translations, in their order
	translations []translation
}

// translation is a page in one language.
type translation struct {
	language string
	texts    texts
	template *template.Template
	own      bool
}

// view is the data of templates. Its names are public: own templates use them.
type view struct {
	Language, Direction           string
	Status                        int
	StatusText                    string
	Code                          string
	Title, Detail, Advice         string
	RequiredScopes, RequiredRoles []string
	RetryAfter                    string
	LoginURL                      string
	TraceID                       string
	Texts                         texts
}

// Render renders a page in the language that fits the Accept-Language fields of a
// request best.
func (s *Set) Render(facts Facts, acceptLanguage []string) (Page, error) {
	edition, found := s.editions[facts.Status]
	if !found {
		return Page{}, fmt.Errorf("no page for the status %d", facts.Status)
	}
	chosen := edition.translations[negotiate(acceptLanguage, edition.languages)]
	html, err := chosen.render(facts)
	return Page{HTML: html, Language: chosen.language, Own: chosen.own}, err
}

func (t translation) render(facts Facts) ([]byte, error) {
	message := facts.Code
	if own := message + "_" + strconv.Itoa(facts.Status); t.texts[own+".title"] != "" {
		message = own
	}
	if own := facts.Code + "_" + facts.Variant; t.texts[own+".title"] != "" {
		message = own
	}
	if _, found := t.texts[message+".title"]; !found {
		message = unknownCode
	}
	var page buffer
	err := t.template.Execute(&page, view{
		Language:       t.language,
		Direction:      t.texts["direction"],
		Status:         facts.Status,
		StatusText:     t.texts["status_"+strconv.Itoa(facts.Status)],
		Code:           facts.Code,
		Title:          t.texts[message+".title"],
		Detail:         t.texts[message+".detail"],
		Advice:         t.texts[message+".advice"],
		RequiredScopes: facts.RequiredScopes,
		RequiredRoles:  facts.RequiredRoles,
		RetryAfter:     t.texts.wait(facts.RetryAfter),
		LoginURL:       facts.LoginURL,
		TraceID:        facts.TraceID,
		Texts:          t.texts,
	})
	return page.bytes, err
}

// unknownCode is the code whose message is used for codes of other plugins.
const unknownCode = "internal_error"

// wait returns a duration in words, rounded up.
func (t texts) wait(wait time.Duration) string {
	if wait <= 0 {
		return ""
	}
	pattern, unit := t["retry_seconds"], time.Second
	if wait > 2*time.Minute {
		pattern, unit = t["retry_minutes"], time.Minute
	}
	n := (wait + unit - 1) / unit
	return strings.ReplaceAll(pattern, "{n}", strconv.FormatInt(int64(n), 10))
}

// maxPage bounds a page, in bytes.
const maxPage = 256 << 10

var errTooLong = errors.New("the page is longer than 256 KiB")

// buffer holds at most maxPage bytes.
type buffer struct{ bytes []byte }

func (b *buffer) Write(more []byte) (int, error) {
	if len(b.bytes)+len(more) > maxPage {
		return 0, errTooLong
	}
	b.bytes = append(b.bytes, more...)
	return len(more), nil
}
