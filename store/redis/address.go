package redis

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// address is one parsed address. Errors never show an address, because it may hold a
// password.
type address struct {
	dial     string // host:port, or the path of a socket
	tls      bool
	user     string
	password string
	database int
}

var (
	errAddress  = errors.New("invalid address: write redis://<host>:<port>/<database>, rediss://…, unix://<path> or <host>:<port>")
	errDatabase = errors.New("invalid database of an address: write a number")
)

// parseAddress reads an address. The port is the default one.
func parseAddress(text, port string) (address, error) {
	if !strings.Contains(text, "://") {
		text = "redis://" + text
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "" {
		return address{}, errAddress
	}
	a := address{user: parsed.User.Username()}
	a.password, _ = parsed.User.Password()
	switch parsed.Scheme {
	case "unix":
		a.dial = parsed.Path
		if parsed.Host != "" || len(a.dial) < 2 {
			return address{}, errAddress
		}
		return a, nil
	case "redis", "rediss":
		a.tls = parsed.Scheme == "rediss"
	default:
		return address{}, errAddress
	}
	if explicit := parsed.Port(); explicit != "" {
		port = explicit
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 || parsed.Hostname() == "" {
		return address{}, errAddress
	}
	a.dial = net.JoinHostPort(parsed.Hostname(), port)
	if number := strings.TrimPrefix(parsed.Path, "/"); number != "" {
		if a.database, err = strconv.Atoi(number); err != nil || a.database < 0 {
			return address{}, errDatabase
		}
	}
	return a, nil
}

// parseAddresses reads several addresses. The first one may have a user, a password and
// a database for all.
func parseAddresses(texts []string, port string) (first address, dials []string, err error) {
	for i, text := range texts {
		a, err := parseAddress(text, port)
		if err != nil {
			return address{}, nil, err
		}
		if i == 0 {
			first = a
		}
		dials = append(dials, a.dial)
		a.dial = first.dial
		if a != first && a != (address{dial: first.dial, tls: first.tls}) {
			return address{}, nil, errors.New("the addresses differ in more than host and port: write the user, the password and the database at the first one only")
		}
	}
	return first, dials, nil
}
