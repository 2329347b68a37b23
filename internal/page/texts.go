package page

import (
	"errors"
	"fmt"
	"maps"

	"golang.org/x/text/language"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// texts are the texts of the pages in one language, by their names. English has all
// names.
type texts map[string]string

// readTexts reads a file of texts. Missing texts come from base. It refuses a name that
// English does not have.
func readTexts(data []byte, base, english texts) (texts, error) {
	object, err := strictjson.Object(data)
	if err != nil {
		return nil, err
	}
	read := maps.Clone(base)
	for name, value := range object {
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("invalid text %q: write a string", name)
		}
		if _, found := english[name]; !found && english != nil {
			return nil, fmt.Errorf("unknown text %q: use the names of the English texts, see docs/pages.md", name)
		}
		if read == nil {
			read = make(texts, len(object))
		}
		read[name] = text
	}
	if direction := read["direction"]; direction != "ltr" && direction != "rtl" {
		return nil, errors.New(`"direction": write ltr or rtl`)
	}
	return read, nil
}

// library is the texts of several languages, by their tags.
type library map[language.Tag]texts

// find returns the texts of a language, or of its wider language, or the English ones.
func (l library) find(tag language.Tag) texts {
	for ; !tag.IsRoot(); tag = tag.Parent() {
		if existing, found := l[tag]; found {
			return existing
		}
	}
	return l[language.English]
}
