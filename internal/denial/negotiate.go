package denial

import (
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// offers are the media types of the bodies, the preferred one first.
var offers = []struct {
	media  string
	format Format
}{
	{"application/problem+json", FormatProblem},
	{"application/json", FormatJSON},
	{"text/html", FormatHTML},
	{"text/plain", FormatText},
}

// negotiate picks a format by the Accept fields of a request (RFC 9110
// §12.5.1): the highest weight wins, then the type that is named before the
// type that a wildcard covers, then the one that the client names first, then
// the order of offers. Without an acceptable one it is the problem document.
func negotiate(accept []string) Format {
	best, bestRank := FormatProblem, rank{}
	ranges := parseAccept(accept)
	for _, offer := range offers {
		r := rankOf(offer.media, ranges)
		if r.weight > 0 && r.better(bestRank) {
			best, bestRank = offer.format, r
		}
	}
	return best
}

// rank says how well a media type suits a client.
type rank struct {
	weight   float64
	specific int // 3 for the type itself, 2 for type/*, 1 for */*
	position int
}

func (r rank) better(than rank) bool {
	switch {
	case r.weight != than.weight:
		return r.weight > than.weight
	case r.specific != than.specific:
		return r.specific > than.specific
	default:
		return r.specific == 3 && r.position < than.position
	}
}

type mediaRange struct {
	name   string
	weight float64
}

// The bounds of what is read of Accept. What is beyond them counts as not sent;
// browsers stay far below.
const (
	maxAccept = 1024 // bytes of a field
	maxRanges = 32
)

func parseAccept(fields []string) []mediaRange {
	var ranges []mediaRange
	for _, field := range fields[:min(len(fields), maxRanges)] {
		if len(field) > maxAccept {
			continue
		}
		steps.Add(len(field))
		for member := range strings.SplitSeq(field, ",") {
			name, parameters, _ := strings.Cut(member, ";")
			if len(ranges) == maxRanges {
				return ranges
			}
			ranges = append(ranges, mediaRange{strings.ToLower(strings.TrimSpace(name)), weightOf(parameters)})
		}
	}
	return ranges
}

// weightOf reads `q`; a weight that is none makes the range unacceptable.
func weightOf(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			weight, err := strconv.ParseFloat(value, 64)
			if err != nil || !(weight >= 0 && weight <= 1) {
				return 0
			}
			return weight
		}
	}
	return 1
}

// rankOf finds the most specific range that covers a media type: it is the
// one whose weight counts.
func rankOf(media string, ranges []mediaRange) rank {
	group, _, _ := strings.Cut(media, "/")
	var found rank
	for i, r := range ranges {
		specific := 0
		switch r.name {
		case media:
			specific = 3
		case group + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific > found.specific {
			found = rank{weight: r.weight, specific: specific, position: i}
		}
	}
	return found
}
