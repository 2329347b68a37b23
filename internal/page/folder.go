package page

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// The bounds of a folder of pages.
const (
	maxFiles = 256
	maxFile  = 64 << 10 // bytes
)

// textFile is a file of texts, by its name.
type textFile struct {
	name string
	data []byte
}

// readFolder reads the files of a folder. It ignores names that begin with a dot, which
// belong to editors, file systems and mounts.
func (l *loader) readFolder(folder fs.FS) error {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
	if len(entries) == 0 {
		return errors.New("no page found in it")
	}
	if len(entries) > maxFiles {
		return fmt.Errorf("more than %d files in it", maxFiles)
	}
	own := make(map[language.Tag]textFile)
	for _, entry := range entries {
		if err := l.readFile(folder, entry.Name(), own); err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	return l.addTexts(own)
}

func (l *loader) readFile(folder fs.FS, name string, own map[language.Tag]textFile) error {
	data, err := readBounded(folder, name)
	if err != nil {
		return err
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	switch path.Ext(name) {
	case ".html":
		return l.addTemplate(name, stem, string(data))
	case ".json":
		tag, err := parseTag(stem)
		if err != nil {
			return err
		}
		if other, twice := own[tag]; twice {
			return fmt.Errorf("%s has the texts of this language", other.name)
		}
		own[tag] = textFile{name, data}
		return nil
	default:
		return errors.New("neither a file of texts such as de.json nor a template such as 401.html")
	}
}

func readBounded(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("it has more than %d KiB", maxFile>>10)
	}
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, err
	}
	return textfile.Decode(content)
}

// addTexts reads files of texts. A missing text comes from the built-in texts of that
// language. After them come those of a wider one, such as pt for pt-BR, and then
// English. So wider languages come first.
func (l *loader) addTexts(own map[language.Tag]textFile) error {
	breadth := func(tag language.Tag) int {
		if tag == language.English {
			return 0
		}
		return len(tag.String())
	}
	tags := slices.SortedFunc(maps.Keys(own), func(a, b language.Tag) int {
		return cmp.Or(cmp.Compare(breadth(a), breadth(b)), strings.Compare(a.String(), b.String()))
	})
	for _, tag := range tags {
		read, err := readTexts(own[tag].data, l.texts.find(tag), l.texts[language.English])
		if err != nil {
			return fmt.Errorf("%s: %w", own[tag].name, err)
		}
		l.texts[tag] = read
	}
	return nil
}

func (l *loader) addTemplate(name, stem, text string) error {
	key := templateKey{name: stem}
	if status, suffix, found := strings.Cut(stem, "."); found {
		tag, err := parseTag(suffix)
		if err != nil {
			return err
		}
		key = templateKey{name: status, tag: tag}
	}
	if !slices.Contains(l.names, key.name) {
		return fmt.Errorf("unknown page %s: write one of %s", key.name, strings.Join(l.names, ", "))
	}
	if other, twice := l.templates[key]; twice {
		return fmt.Errorf("%s is the template for this language", other.Name())
	}
	parsed, err := parseTemplate(name, text)
	if err != nil {
		return err
	}
	l.templates[key] = parsed
	return nil
}

// parseTag reads the language in the name of a file.
func parseTag(text string) (language.Tag, error) {
	tag, err := language.Parse(text)
	if err != nil || tag.IsRoot() {
		return tag, fmt.Errorf("invalid language %q: write a tag such as de or pt-BR", text)
	}
	return tag, nil
}
