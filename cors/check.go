package cors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/origin"
)

// check validates the configuration. The Caddyfile calls it after every line, so the
// error has the position of that line.
func (h *Handler) check() error {
	if len(h.Origins) == 0 {
		return errors.New("auth_cors without an origin: write those whose scripts may call this site, such as https://web.example")
	}
	for _, allowed := range h.Origins {
		if allowed == anyOrigin {
			continue
		}
		if err := origin.Check(allowed); err != nil {
			return err
		}
	}
	if h.anyOrigin() && len(h.Origins) > 1 {
		return errors.New("the origin * beside others: write * alone to allow every origin, or only the others")
	}
	if h.anyOrigin() && h.Credentials {
		return errors.New("the origin * with credentials would let every site on the web act as its visitors: write the origins by name, or leave out credentials")
	}
	for _, method := range h.Methods {
		if err := checkMethod(method); err != nil {
			return err
		}
	}
	for _, name := range slices.Concat(h.Headers, h.Expose) {
		if !isToken(name) {
			return fmt.Errorf("invalid header field name %q: write names such as X-Request-Id, with spaces between them", name)
		}
	}
	if h.Credentials && slices.Contains(h.Expose, "*") {
		return errors.New("expose * means nothing to a browser once there are credentials: write the fields by name")
	}
	if age := time.Duration(h.MaxAge); age < 0 || age%time.Second != 0 {
		return fmt.Errorf("invalid max_age %s: write for example 10m, in whole seconds", age)
	}
	return nil
}

// checkMethod refuses an invalid method, and one that browsers would compare otherwise.
func checkMethod(method string) error {
	switch {
	case method == "*":
		return errors.New("invalid method *: write the methods by name, or leave the line out for GET HEAD POST PUT PATCH DELETE")
	case !isToken(method):
		return fmt.Errorf("invalid method %q: write methods such as GET, with spaces between them", method)
	case method != strings.ToUpper(method):
		return fmt.Errorf("the method %q is not in upper case: write %s", method, strings.ToUpper(method))
	default:
		return nil
	}
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
