package jose

import (
	"fmt"
	"math"
	"time"
)

// latest is the last second of the year 9999. A later value is not a number of seconds.
const latest = 253402300799

// NumericDate reads a NumericDate claim, maybe with a fraction (RFC 7519 §2).
func NumericDate(claims map[string]any, claim string) (time.Time, error) {
	var seconds, fraction float64
	switch value := claims[claim].(type) {
	case int64:
		seconds = float64(value)
	case float64:
		seconds, fraction = math.Modf(value)
	case nil:
		return time.Time{}, fmt.Errorf("%s is missing", claim)
	default:
		return time.Time{}, fmt.Errorf("%s is not a number", claim)
	}
	if seconds < 0 || fraction < 0 || seconds+fraction > latest {
		return time.Time{}, fmt.Errorf("%s is out of range", claim)
	}
	return time.Unix(int64(seconds), int64(fraction*float64(time.Second))), nil
}
