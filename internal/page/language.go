package page

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// The bounds of the read part of Accept-Language. The rest is ignored. Browsers send
// far less.
const (
	maxAcceptLanguage = 512 // bytes
	maxRanges         = 32
)

// negotiate returns the index of the language that fits a request best (RFC 9110
// §12.5.4). It tries the ranges by their weights, and uses the first match. Without a
// match it is the first language on offer.
func negotiate(accept []string, offered language.Matcher) int {
	for _, r := range parse(accept) {
		if r.tag == anyLanguage {
			return 0
		}
		if _, index, confidence := offered.Match(r.tag); confidence > language.No {
			return index
		}
	}
	return 0
}

// anyLanguage is the tag for the range `*`.
var anyLanguage = language.MustParse("mul")

// languageRange is a member of Accept-Language.
type languageRange struct {
	tag    language.Tag
	weight float32
}

// parse reads the ranges by preference. It skips an invalid one and one with weight 0,
// and reads the others all the same.
func parse(accept []string) []languageRange {
	length := 0
	for _, field := range accept {
		if length += len(field) + 1; length > maxAcceptLanguage+1 {
			return nil
		}
	}
	field := strings.Join(accept, ",")
	steps.Add(len(field))
	var ranges []languageRange
	for member := range strings.SplitSeq(strings.ToLower(field), ",") {
		tags, weights, err := language.ParseAcceptLanguage(member)
		if err != nil || len(tags) != 1 || !(weights[0] > 0 && weights[0] <= 1) {
			continue
		}
		if len(ranges) == maxRanges {
			break
		}
		ranges = append(ranges, languageRange{tags[0], weights[0]})
	}
	// `*` means the languages that are not named (RFC 4647 §2.1), so it comes after
	// those of its weight.
	slices.SortStableFunc(ranges, func(a, b languageRange) int {
		if a.weight != b.weight {
			return cmp.Compare(b.weight, a.weight)
		}
		return cmp.Compare(rankOf(a), rankOf(b))
	})
	return ranges
}

func rankOf(r languageRange) int {
	if r.tag == anyLanguage {
		return 1
	}
	return 0
}
