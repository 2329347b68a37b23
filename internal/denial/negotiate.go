package denial

import (
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// offers are the media types of the bodies, in the order of preference.
var offers = []struct {
	media  string
	format Format
}{
	{"application/problem+json", FormatProblem},
	{"application/json", FormatJSON},
	{"text/html", FormatHTML},
	{"text/plain", FormatText},
}

// negotiate returns the format for the Accept fields of a request (RFC 9110 §12.5.1).
// The highest weight wins. Of equal weights, a named type comes before one that a
// wildcard covers. Then the order of the client decides, and then the order of offers.
// Without an acceptable format it is the problem document.
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

// rank is how well a media type suits a client.
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

// The bounds of the read part of Accept. The rest is ignored. Browsers send far less.
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

// weightOf reads `q`. An invalid weight makes the range unacceptable.
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

// rankOf returns the rank of the most specific range that covers a media type.
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
