package authn

import (
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// Names are the names of the parameters and cookies in which schemes look for their
// credentials. With them, one pass over a query finds the values for all schemes.
type Names struct {
	query, cookies names
}

// At adds the names of locations, and returns all names.
func (n *Names) At(locations []Location) *Names {
	for _, location := range locations {
		switch location.Kind {
		case InQuery:
			n.query.add(location.Name)
		case InCookie:
			n.cookies.add(location.Name)
		case InHeader, InForm, InWebSocket, InTLS:
		}
	}
	return n
}

// names are the names of one kind.
type names struct {
	all     map[string]bool
	first   [256]bool // the first bytes of the names
	lengths [64]bool  // in bytes; the last element is for all longer names
}

func (n *names) add(name string) {
	if n.all == nil {
		n.all = make(map[string]bool)
	}
	n.all[name], n.first[name[0]], n.lengths[min(len(name), len(n.lengths)-1)] = true, true, true
}

// mayContain reports whether a name of this length can be one of these. It runs for every
// pair, and passes as few names as it can.
func (n *names) mayContain(length int) bool { return n.lengths[min(length, len(n.lengths)-1)] }

// lengthOf returns the length of a name in a query after decoding, in bytes.
func lengthOf(written string) int {
	return max(0, len(written)-2*strings.Count(written, "%"))
}

// namedValues are the values of the names in a query or in the cookies. They belong to the
// text in which they were found.
type namedValues struct {
	in     []string
	values map[string][]string
	parts  map[string]int // the number of parts of a cookie that came as name.0, name.1 …
}

// inQuery returns the values of a parameter. A value that cannot be decoded stays as it
// is written.
func (r *Request) inQuery(name string) []string {
	if r.URL.RawQuery == "" {
		return nil
	}
	if r.names == nil || !r.names.query.all[name] {
		one := new(Names).At([]Location{{Kind: InQuery, Name: name}})
		return one.query.parameters(r.URL.RawQuery)[name]
	}
	if r.query == nil || r.query.in[0] != r.URL.RawQuery {
		r.query = &namedValues{in: []string{r.URL.RawQuery}, values: r.names.query.parameters(r.URL.RawQuery)}
	}
	return r.query.values[name]
}

// inCookies returns the values of a cookie, without the quotes around them. The parts
// of a split cookie are one value (see [namedValues.joined]).
func (r *Request) inCookies(name string) ([]string, error) {
	fields := r.Header["Cookie"]
	if len(fields) == 0 {
		return nil, nil
	}
	if r.names == nil || !r.names.cookies.all[name] {
		one := new(Names).At([]Location{{Kind: InCookie, Name: name}}).cookies.pairs(fields)
		return one.join(name)
	}
	if r.cookies == nil || !slices.Equal(r.cookies.in, fields) {
		pairs := r.names.cookies.pairs(fields)
		pairs.in = slices.Clone(fields)
		r.cookies = &pairs
	}
	return r.cookies.join(name)
}

// join returns the values of a cookie. Login libraries split a value that is too long
// for one cookie: name.0 has its beginning, and name.1 to name.99 have the rest.
func (f *namedValues) join(name string) ([]string, error) {
	whole := f.values[name]
	if f.parts[name] == 0 {
		return whole, nil
	}
	var value strings.Builder
	for i := range f.parts[name] {
		part := f.values[partOf(name, i)]
		switch {
		case len(part) == 0:
			return nil, fmt.Errorf("the cookie %s is split, and part %d of it is missing", name, i)
		case len(part) > 1:
			return part, nil
		}
		value.WriteString(part[0])
	}
	if slices.Equal(whole, []string{value.String()}) || len(whole) == 1 && whole[0] == "" {
		whole = nil
	}
	return append(slices.Clone(whole), value.String()), nil
}

// partOf returns the name of a part of a split cookie.
func partOf(name string, part int) string { return name + "." + strconv.Itoa(part) }

// wholeOf returns the name of the split cookie to which a part belongs, or an empty
// text.
func wholeOf(name string) string {
	at := strings.LastIndexByte(name, '.')
	part := name[at+1:]
	if at < 0 || part == "" || len(part) > 2 || len(part) == 2 && part[0] == '0' || strings.Trim(part, "0123456789") != "" {
		return ""
	}
	return name[:at]
}

func (n *names) parameters(query string) map[string][]string {
	var all map[string][]string
	eachMember(query, '&', func(pair string) {
		if !n.first[pair[0]] && pair[0] != '%' && pair[0] != '+' {
			return // nearly all
		}
		name, written, _ := strings.Cut(pair, "=")
		if !n.mayContain(lengthOf(name)) {
			return
		}
		plain, err := url.QueryUnescape(name)
		if err != nil || !n.all[plain] {
			return
		}
		value, err := url.QueryUnescape(written)
		if err != nil {
			value = written
		}
		all = keep(all, plain, value)
	})
	return all
}

func (n *names) pairs(fields []string) (all namedValues) {
	for _, field := range fields {
		eachMember(field, ';', func(pair string) {
			if !n.first[pair[0]] && !isSpace(pair[0]) {
				return // nearly all
			}
			name, value, _ := strings.Cut(pair, "=")
			name = textproto.TrimString(name)
			whole := ""
			if !n.mayContain(len(name)) || !n.all[name] {
				if whole = wholeOf(name); !n.all[whole] {
					return
				}
			}
			all.addCookie(name, whole, textproto.TrimString(value))
		})
	}
	return all
}

// addCookie adds the value of a cookie, without the quotes around it. If whole is not
// empty, the cookie is a part of that split cookie.
func (f *namedValues) addCookie(name, whole, value string) {
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	f.values = keep(f.values, name, value)
	if whole == "" || len(f.values[name]) > 1 {
		return
	}
	if f.parts == nil {
		f.parts = make(map[string]int)
	}
	f.parts[whole]++
}

// isSpace reports whether [textproto.TrimString] removes a byte.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// forget removes the values of a location after they were removed from the request.
func (r *Request) forget(p Location) {
	switch {
	case p.Kind == InQuery && r.query != nil:
		r.query.in[0] = r.URL.RawQuery
		delete(r.query.values, p.Name)
	case p.Kind == InCookie && r.cookies != nil:
		r.cookies.in = slices.Clone(r.Header["Cookie"])
		delete(r.cookies.values, p.Name)
		delete(r.cookies.parts, p.Name)
	}
}

// keep adds a value. It keeps two at most, because two are already too many.
func keep(all map[string][]string, name, value string) map[string][]string {
	values := all[name]
	switch {
	case len(values) == 2:
		return all
	case all == nil:
		all = make(map[string][]string)
	}
	all[name] = append(values, value)
	return all
}

// eachMember calls a function with each non-empty member of a list.
func eachMember(list string, separator byte, member func(string)) {
	steps.Add(len(list))
	for from := 0; from < len(list); {
		if list[from] == separator {
			from++
			continue
		}
		end := strings.IndexByte(list[from:], separator)
		if end < 0 {
			end = len(list) - from
		}
		member(list[from : from+end])
		from += end + 1
	}
}
