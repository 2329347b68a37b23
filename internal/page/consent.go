package page

import (
	_ "embed" // consent.html
	"html/template"
	"strings"

	"golang.org/x/text/language"
)

//go:embed consent.html
var consentTemplate string

// Consent is the content of the page that asks a user for consent. Hosts are empty for
// a program on the device.
type Consent struct {
	AppHost, RedirectHost string
	RedirectURI           string
	Resource              string
	Scope                 string // empty for none

	// Action is the target of the form. It sends the answer in `decision`, and Request.
	Action, Request string
}

// consent is the page of a consent, with a translation for each language.
type consent struct {
	template  *template.Template
	languages language.Matcher // of the texts, in their order
	texts     []texts
	tags      []language.Tag
}

// newConsent creates the page in all languages with texts. A template of the operator
// cannot replace it, because the consent depends on its content.
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

// RenderConsent renders the page in the language that fits the Accept-Language fields
// of a request best.
func (s *Set) RenderConsent(facts Consent, acceptLanguage []string) (Page, error) {
	chosen := negotiate(acceptLanguage, s.consent.languages)
	view := struct {
		Consent
		Language, Direction string
		Texts               texts
	}{facts, s.consent.tags[chosen].String(), s.consent.texts[chosen]["direction"], s.consent.texts[chosen]}
	var page buffer
	err := s.consent.template.Execute(&page, view)
	return Page{HTML: page.bytes, Language: view.Language}, err
}
