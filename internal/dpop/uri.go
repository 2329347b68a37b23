package dpop

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

var errNotURI = errors.New("not an absolute http or https URI")

// defaultPorts of the schemes that a target can have.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// normalize returns the normal form of an absolute http or https URI, without query and
// fragment. It follows RFC 9449 §4.3, item 9, and RFC 3986 §6.2.2 and §6.2.3. Scheme
// and host are in lower case, without a default port, and an empty path is "/".
// Percent-encodings are in upper case and only for characters that need one. There are
// no dot segments. The letter case and a trailing slash of the path stay.
//
// Browsers leave characters such as `|` and `[` in a path, although RFC 3986 §3.3 does
// not allow them. They are percent-encoded. User information, percent-encodings in the
// host, control characters, spaces and characters beyond ASCII are errors.
func normalize(uri string) (string, error) {
	uri, _, _ = strings.Cut(uri, "#")
	uri, _, _ = strings.Cut(uri, "?")
	scheme, rest, found := strings.Cut(uri, "://")
	scheme = strings.ToLower(scheme)
	defaultPort, hasDefault := defaultPorts[scheme]
	if !found || !hasDefault {
		return "", errNotURI
	}
	authority, path, _ := strings.Cut(rest, "/")
	authority, err := normalizeAuthority(authority, defaultPort)
	if err != nil {
		return "", err
	}
	if path, err = normalizeEncoding(path); err != nil {
		return "", err
	}
	return scheme + "://" + authority + "/" + removeDotSegments(path), nil
}

func normalizeAuthority(authority, defaultPort string) (string, error) {
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	if !isHost(host) {
		return "", errNotURI
	}
	host = strings.ToLower(host)
	if port == "" {
		return host, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", errNotURI
	}
	if port = strconv.FormatUint(number, 10); port == defaultPort {
		return host, nil
	}
	return host + ":" + port, nil
}

// isHost accepts names, IPv4 addresses, and IPv6 addresses in brackets.
func isHost(host string) bool {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		return bracketed && err == nil && address.Is6() && address.Zone() == ""
	}
	for i := range len(host) {
		if !isUnreserved(host[i]) && strings.IndexByte(subDelimiters, host[i]) < 0 {
			return false
		}
	}
	return host != ""
}

// subDelimiters are the sub-delims of RFC 3986 §2.2.
const subDelimiters = "!$&'()*+,;="

// isUnreserved reports whether the encoding of a character never matters (RFC 3986
// §2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// normalizeEncoding writes each character of a path in one way.
func normalizeEncoding(path string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		steps.Add(1)
		c := path[i]
		switch {
		case c == '%':
			if len(path)-i < 3 {
				return "", errNotURI
			}
			decoded, err := hex.DecodeString(path[i+1 : i+3])
			if err != nil {
				return "", errNotURI
			}
			if isUnreserved(decoded[0]) {
				b.WriteByte(decoded[0])
			} else {
				b.WriteString(strings.ToUpper(path[i : i+3]))
			}
			i += 2
		case c <= ' ' || c >= 0x7f:
			return "", errNotURI
		case isUnreserved(c) || strings.IndexByte(subDelimiters+":@/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String(), nil
}

// removeDotSegments follows RFC 3986 §5.2.4 for a path without its first slash.
// Empty segments are segments like others: `..` removes one.
func removeDotSegments(path string) string {
	var resolved []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		switch segment {
		case ".", "..":
			if segment == ".." && len(resolved) > 0 {
				resolved = resolved[:len(resolved)-1]
			}
			if i == len(segments)-1 {
				resolved = append(resolved, "") // what remains ends in a slash
			}
		default:
			resolved = append(resolved, segment)
		}
	}
	return strings.Join(resolved, "/")
}
