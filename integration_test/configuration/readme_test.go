package configuration

import (
	"regexp"
	"strings"
	"testing"
)

// codeBlock is a block of code in a Markdown file.
var codeBlock = regexp.MustCompile("(?ms)^```(caddyfile|json)\n(.*?)^```$")

// TestReadmeBlocks adapts and validates every configuration that the README
// shows. None is run: their sites are public.
func TestReadmeBlocks(t *testing.T) {
	counts := make(map[string]int)
	readme := read(t, "../../README.md")
	for _, found := range codeBlock.FindAllStringSubmatchIndex(readme, -1) {
		kind, code := readme[found[2]:found[3]], readme[found[4]:found[5]]
		counts[kind]++
		begin, _, _ := strings.Cut(strings.TrimSpace(code), "\n")
		t.Run(kind+" "+begin, func(t *testing.T) {
			if kind == "caddyfile" {
				code = adapt(t, code)
			}
			if err := validate(t, code); err != nil {
				t.Errorf("line %d of the README: %v", strings.Count(readme[:found[0]], "\n")+1, err)
			}
		})
	}
	if counts["caddyfile"] < 3 || counts["json"] < 1 {
		t.Errorf("found %v: were the blocks found?", counts)
	}
}
