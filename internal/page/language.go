package page

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// The bounds of what is read of Accept-Language. What is beyond them counts as
// not sent; browsers stay far below.
const (
	maxAcceptLanguage = 512 // bytes
	maxRanges         = 32
)

// negotiate returns the index of the language that suits a request best (RFC
// 9110 §12.5.4): the ranges are tried by their weights, and the first that the
// languages on offer can serve decides. Where there is none, it is the first
// language on offer.
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

// anyLanguage is what the range `*` is read as.
var anyLanguage = language.MustParse("mul")

// languageRange is a member of Accept-Language.
type languageRange struct {
	tag    language.Tag
	weight float32
}

// parse reads the ranges, the most wanted first. One that cannot be read, or
// that is refused by the weight 0, is left out; it says nothing about the
// others, so that they are read one by one.
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
	// `*` stands for the languages that are not named (RFC 4647 §2.1), so it
	// comes after those of its weight.
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
