package page

import (
	_ "embed" // consent.html
	"html/template"
	"strings"

	"golang.org/x/text/language"
)

//go:embed consent.html
var consentTemplate string

// Consent is what people read before an app gets access in their name. Empty hosts
// are those of a program on the device.
type Consent struct {
	AppHost, RedirectHost string
	RedirectURI           string
	Resource              string

	// Action is where the form is sent, with the answer in `decision` and Request.
	Action, Request string
}

// consent is the pages of a consent, a translation for each language.
type consent struct {
	template  *template.Template
	languages language.Matcher // of the texts, in their order
	texts     []texts
	tags      []language.Tag
}

// newConsent makes the pages in the languages that have texts. A template of the
// operator cannot replace this one, because consent depends on what it shows.
func (l *loader) newConsent() (*consent, error) {
	_, style, _ := strings.Cut(builtInTemplate, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	parsed, err := parseTemplate("consent.html", strings.Replace(consentTemplate, "<style>", "<style>"+style, 1))
	if err != nil {
		return nil, err
	}
	c := &consent{template: parsed, tags: l.languages()}
	c.languages = language.NewMatcher(c.tags)
	for _, tag := range c.tags {
		c.texts = append(c.texts, l.texts.find(tag))
	}
	return c, nil
}

// RenderConsent makes the page in the language that suits the Accept-Language fields
// of a request best.
func (s *Set) RenderConsent(facts Consent, acceptLanguage []string) (Page, error) {
	chosen := negotiate(acceptLanguage, s.consent.languages)
	view := struct {
		Consent
		Language, Direction string
		Texts               texts
	}{facts, s.consent.tags[chosen].String(), s.consent.texts[chosen]["direction"], s.consent.texts[chosen]}
	var page bounded
	err := s.consent.template.Execute(&page, view)
	return Page{HTML: page.bytes, Language: view.Language}, err
}
