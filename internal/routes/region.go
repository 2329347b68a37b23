package routes

import (
	"slices"
)

// Set is a set of requests: those that meet every condition in it. The zero
// value is the set of all requests.
type Set struct {
	// Hosts, Methods and Paths are alternatives. An empty list matches all.
	Hosts   []string `json:"hosts,omitempty"`
	Methods []string `json:"methods,omitempty"`
	Paths   []Path   `json:"paths,omitempty"`
	// Other are further conditions, all of which hold.
	Other []Condition `json:"other,omitempty"`
}

// Condition is a matcher that this package only knows by name, or one for a path that a
// rewrite has changed in an unknown way.
type Condition struct {
	Matcher string `json:"matcher"`
	Value   string `json:"value,omitempty"`
	// After is what had become of the path there.
	After View `json:"-"`
}

// Region is a set of requests less some others.
type Region struct {
	Set
	Except []Set `json:"except,omitempty"`
}

// dimension compares alternatives of one kind.
type dimension[T any] struct {
	within func(x, y T) bool
	both   func(x, y T) (T, bool)
}

var (
	hosts = dimension[string]{within: hostWithin, both: func(x, y string) (string, bool) {
		if hostWithin(y, x) {
			return y, true
		}
		return x, hostsMeet(x, y)
	}}
	methods = dimension[string]{
		within: func(x, y string) bool { return x == y },
		both:   func(x, y string) (string, bool) { return x, x == y },
	}
	paths = dimension[Path]{
		within: Path.within,
		both:   func(x, y Path) (Path, bool) { return x.and(y), !x.apart(y) },
	}
)

// meet returns the alternatives that two lists have in common; ok is false if
// there are none.
func (d dimension[T]) meet(x, y []T) (common []T, ok bool) {
	if len(x) == 0 || len(y) == 0 {
		return slices.Concat(x, y), true
	}
	for _, left := range x {
		for _, right := range y {
			if both, ok := d.both(left, right); ok && !slices.ContainsFunc(common, func(c T) bool { return d.within(both, c) }) {
				common = append(common, both)
			}
		}
	}
	return common, len(common) > 0
}

func (d dimension[T]) covered(x, y []T) bool {
	if len(y) == 0 {
		return true
	}
	return len(x) > 0 && len(d.less(x, y)) == 0
}

// less returns the alternatives of x that y does not cover.
func (d dimension[T]) less(x, y []T) []T {
	return slices.DeleteFunc(slices.Clone(x), func(left T) bool {
		return slices.ContainsFunc(y, func(right T) bool { return d.within(left, right) })
	})
}

// And returns the requests in both sets; ok is false if there are surely none.
func (s Set) And(t Set) (both Set, ok bool) {
	var ofHosts, ofMethods, ofPaths bool
	both.Hosts, ofHosts = hosts.meet(s.Hosts, t.Hosts)
	both.Methods, ofMethods = methods.meet(s.Methods, t.Methods)
	both.Paths, ofPaths = paths.meet(s.Paths, t.Paths)
	both.Other = slices.Clone(s.Other)
	for _, condition := range t.Other {
		if !slices.Contains(both.Other, condition) {
			both.Other = append(both.Other, condition)
		}
	}
	return both, ofHosts && ofMethods && ofPaths
}

// Within reports whether every request of s is surely in t.
func (s Set) Within(t Set) bool {
	return hosts.covered(s.Hosts, t.Hosts) && methods.covered(s.Methods, t.Methods) && paths.covered(s.Paths, t.Paths) &&
		!slices.ContainsFunc(t.Other, func(c Condition) bool { return !slices.Contains(s.Other, c) })
}

// minus returns s less what t covers alone by one kind of condition, so that
// what can be said without an exception is. left is false if nothing remains.
func (s Set) minus(t Set) (rest Set, left bool) {
	if s.Within(t) {
		return s, false
	}
	rest = s
	if len(t.Other) > 0 {
		return rest, true
	}
	byHost, byMethod, byPath := hosts.covered(s.Hosts, t.Hosts), methods.covered(s.Methods, t.Methods), paths.covered(s.Paths, t.Paths)
	switch {
	case byHost && byMethod:
		rest.Paths = paths.less(s.Paths, t.Paths)
	case byHost && byPath:
		rest.Methods = methods.less(s.Methods, t.Methods)
	case byMethod && byPath:
		rest.Hosts = hosts.less(s.Hosts, t.Hosts)
	}
	return rest, true
}

// With returns the part of a region that is in a set; ok is false if there is
// surely none.
func (r Region) With(s Set) (part Region, ok bool) {
	both, ok := r.Set.And(s)
	if !ok {
		return Region{}, false
	}
	return Region{Set: both}.withoutAll(r.Except)
}

func (r Region) withoutAll(sets []Set) (Region, bool) {
	for _, except := range sets {
		left, ok := r.Without(except)
		if !ok {
			return Region{}, false
		}
		r = left
	}
	return r, true
}

// Without returns the part of a region that is not in a set; ok is false if
// there is surely none.
func (r Region) Without(s Set) (part Region, ok bool) {
	meeting, meets := r.Set.And(s)
	if !meets {
		return r, true
	}
	rest, left := r.Set.minus(s)
	if !left {
		return Region{}, false
	}
	part = Region{Set: rest}
	for _, except := range r.Except {
		if meeting.Within(except) {
			return r, true // it is taken out already
		}
		if _, meets := rest.And(except); meets && !except.Within(s) {
			part.Except = append(part.Except, except)
		}
	}
	if _, meets := rest.And(s); meets {
		part.Except = append(part.Except, s)
	}
	return part, true
}

// And returns the requests in both regions; ok is false if there are surely
// none.
func (r Region) And(other Region) (both Region, ok bool) {
	both, ok = r.With(other.Set)
	if !ok {
		return Region{}, false
	}
	return both.withoutAll(other.Except)
}

// Matcher is what a route matches: any of the regions. An empty one matches all
// requests.
type Matcher []Region

// split divides a region by a matcher into the part that it matches and the
// rest.
func (m Matcher) split(r Region) (matched, rest []Region) {
	if len(m) == 0 {
		return []Region{r}, nil
	}
	rest = []Region{r}
	for _, one := range m {
		var after []Region
		for _, part := range rest {
			if both, ok := part.And(one); ok {
				matched = append(matched, both)
			}
			after = append(after, part.less(one)...)
		}
		rest = after
	}
	return matched, rest
}

// less returns what of r is not in other: what is outside of its set, and what
// is in its exceptions.
func (r Region) less(other Region) (parts []Region) {
	if outside, ok := r.Without(other.Set); ok {
		parts = append(parts, outside)
	}
	inside, ok := r.With(other.Set)
	for _, except := range other.Except {
		if !ok {
			return parts
		}
		if part, some := inside.With(except); some {
			parts = append(parts, part)
		}
		inside, ok = inside.Without(except)
	}
	return parts
}
