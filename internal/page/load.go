package page

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed texts/en.json texts/ko.json
var builtInTexts embed.FS

//go:embed page.html
var builtInTemplate string

// anyStatus is the name of templates for all statuses.
const anyStatus = "error"

// Load creates the pages for all cases. The folder adds to the built-in pages, and may
// be nil. It has files of texts, such as `de.json`, and templates, such as `401.html`,
// `401.de.html`, `error.html` and `error.de.html`. Load renders every page once, to
// find errors.
func Load(folder fs.FS, cases []Case) (*Set, error) {
	loader, err := newLoader(cases)
	if err != nil {
		return nil, err
	}
	if folder != nil {
		if err := loader.readFolder(folder); err != nil {
			return nil, err
		}
	}
	set := &Set{editions: make(map[int]*edition)}
	for _, c := range cases {
		if set.editions[c.Status] == nil {
			set.editions[c.Status] = loader.edition(strconv.Itoa(c.Status))
		}
	}
	if set.consent, err = loader.newConsent(); err != nil {
		return nil, err
	}
	return set, set.try(cases)
}

// loader collects the parts of editions.
type loader struct {
	names     []string // of templates
	texts     library
	templates map[templateKey]*template.Template
	builtIn   *template.Template
}

// templateKey is a status or anyStatus, and a language or none.
type templateKey struct {
	name string
	tag  language.Tag
}

func newLoader(cases []Case) (*loader, error) {
	l := &loader{names: []string{anyStatus}, texts: make(library), templates: make(map[templateKey]*template.Template)}
	for _, c := range cases {
		if name := strconv.Itoa(c.Status); !slices.Contains(l.names, name) {
			l.names = append(l.names, name)
		}
	}
	slices.Sort(l.names)
	var err error
	if l.builtIn, err = parseTemplate("page.html", builtInTemplate); err != nil {
		return nil, err
	}
	for _, tag := range []language.Tag{language.English, language.Korean} {
		data, err := builtInTexts.ReadFile("texts/" + tag.String() + ".json")
		if err != nil {
			return nil, err
		}
		if l.texts[tag], err = readTexts(data, l.texts[language.English], l.texts[language.English]); err != nil {
			return nil, fmt.Errorf("%s: %w", tag, err)
		}
	}
	return l, nil
}

func parseTemplate(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Parse(text)
}

// edition returns the pages of a status in all languages with texts or with a template
// for it. English is the first.
func (l *loader) edition(status string) *edition {
	var more []language.Tag
	for key := range l.templates {
		if (key.name == status || key.name == anyStatus) && !key.tag.IsRoot() {
			more = append(more, key.tag)
		}
	}
	tags := l.languages(more...)
	e := &edition{languages: language.NewMatcher(tags)}
	for _, tag := range tags {
		found, own := l.template(status, tag)
		e.translations = append(e.translations, translation{language: tag.String(), texts: l.texts.find(tag), template: found, own: own})
	}
	return e
}

// languages returns the languages with texts, and the given ones, without duplicates.
// English is the first.
func (l *loader) languages(more ...language.Tag) []language.Tag {
	tags := slices.AppendSeq(more, maps.Keys(l.texts))
	tags = slices.DeleteFunc(tags, func(tag language.Tag) bool { return tag == language.English })
	slices.SortFunc(tags, func(a, b language.Tag) int { return strings.Compare(a.String(), b.String()) })
	return slices.Insert(slices.Compact(tags), 0, language.English)
}

// template returns the most specific template: one for the status before one for all,
// and then one for the language before one for all.
func (l *loader) template(status string, tag language.Tag) (found *template.Template, own bool) {
	for _, key := range []templateKey{{status, tag}, {name: status}, {anyStatus, tag}, {name: anyStatus}} {
		if found, own = l.templates[key]; own {
			return found, true
		}
	}
	return l.builtIn, false
}

// try renders every page, with all facts and with few.
func (s *Set) try(cases []Case) error {
	for _, c := range cases {
		for _, translation := range s.editions[c.Status].translations {
			full := Facts{
				Case: c, RequiredScopes: []string{"a", "b"}, RequiredRoles: []string{"c"},
				RetryAfter: time.Minute, LoginURL: "/login", TraceID: "trace",
			}
			for _, facts := range []Facts{full, {Case: c}} {
				if _, err := translation.render(facts); err != nil {
					return fmt.Errorf("%s: %w", translation.template.Name(), err)
				}
			}
		}
	}
	return nil
}
