package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Operation is an operation of a document: a method on a path as clients call
// it. Parts of the path that vary are filled in with [Variable].
type Operation struct{ Method, Path string }

// Variable stands in the path of an [Operation] for a part that varies.
const Variable = "~"

// Ways are the ways to an operation, each with the gates on it. None means
// that nothing is known about it.
type Ways [][]Guard

// maxOperations is how many operations a document may have.
const maxOperations = 5000

// Errors of Merge.
var (
	ErrVersion = errors.New("not an OpenAPI 3 document")

	errComponents = errors.New("the components are malformed")
	errTooLarge   = fmt.Errorf("more than %d operations", maxOperations)
)

// methods are the members of a path item that are operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

// Merge adds to a document what the gates ask for. Operations without a gate
// stay as they are, and merging again changes nothing.
func Merge(document *Object, waysTo func(Operation) Ways) error {
	version, _ := document.Get("openapi").(string)
	if !strings.HasPrefix(version, "3.") {
		return ErrVersion
	}
	if err := checkComponents(document); err != nil {
		return err
	}
	m := &merger{document: document, old: strings.HasPrefix(version, "3.0"), waysTo: waysTo, named: make(map[string]string)}
	paths := document.object("paths")
	if paths == nil {
		return nil
	}
	for _, path := range paths.names {
		item := paths.object(path)
		if item == nil {
			continue
		}
		for _, name := range item.names {
			operation := item.object(name)
			if operation == nil || !slices.Contains(methods, name) {
				continue
			}
			if m.operations++; m.operations > maxOperations {
				return errTooLarge
			}
			m.merge(operation, Operation{Method: strings.ToUpper(name), Path: sample(m.base(item, operation) + path)})
		}
	}
	return nil
}

// checkComponents refuses a document in which there is no place for what is
// added.
func checkComponents(document *Object) error {
	components := document.object("components")
	if components == nil {
		if document.Has("components") {
			return errComponents
		}
		return nil
	}
	for _, section := range []string{"securitySchemes", "responses", "schemas"} {
		if components.Has(section) && components.object(section) == nil {
			return errComponents
		}
	}
	return nil
}

type merger struct {
	document   *Object
	old        bool // OpenAPI 3.0
	waysTo     func(Operation) Ways
	operations int

	// named are the names of components that were put already, by what they
	// are.
	named map[string]string
}

// base is the path below which an operation is found: that of the innermost
// first server.
func (m *merger) base(item, operation *Object) string {
	for _, holder := range []*Object{operation, item, m.document} {
		servers, _ := holder.Get("servers").([]any)
		if len(servers) == 0 {
			continue
		}
		server, _ := servers[0].(*Object)
		if server == nil {
			return ""
		}
		address, _ := server.Get("url").(string)
		parsed, err := url.Parse(address)
		if err != nil || strings.Contains(parsed.Path, "{") {
			return ""
		}
		base := strings.TrimSuffix(parsed.Path, "/")
		if base != "" && !strings.HasPrefix(base, "/") {
			base = "/" + base
		}
		return base
	}
	return ""
}

// sample fills in the variable parts of a path template.
func sample(template string) string {
	var b strings.Builder
	for template != "" {
		before, rest, open := strings.Cut(template, "{")
		b.WriteString(before)
		if !open {
			break
		}
		b.WriteString(Variable)
		_, template, _ = strings.Cut(rest, "}")
	}
	return b.String()
}

func (m *merger) merge(operation *Object, asked Operation) {
	var ours []alternative
	var words []string
	guarded, forbids := false, false
	for _, way := range m.waysTo(asked) {
		onWay := []alternative{{}}
		for _, guard := range way {
			guarded = true
			if all := m.alternatives(guard); len(all) > 0 {
				onWay = product(onWay, all)
			}
			if !guard.Forbids || guard.Silent {
				continue
			}
			forbids = true
			if guard.Requires != "" && !slices.Contains(words, guard.Requires) {
				words = append(words, guard.Requires)
			}
		}
		ours = append(ours, onWay...)
	}
	if !guarded {
		return
	}
	ours = minimal(ours)
	slices.SortStableFunc(ours, func(x, y alternative) int { return min(len(y), 1) - min(len(x), 1) }) // {} last
	m.secure(operation, ours)
	m.respond(operation, forbids, words)
}

// secure joins what the document asks for with what the gates do.
func (m *merger) secure(operation *Object, ours []alternative) {
	if !slices.ContainsFunc(ours, func(a alternative) bool { return len(a) > 0 }) {
		return // nothing that this version of OpenAPI has a word for
	}
	existing, ok := readSecurity(operation.Get("security"))
	if !ok {
		if operation.Has("security") {
			return // not understood: leave it alone
		}
		existing, _ = readSecurity(m.document.Get("security"))
	}
	if len(existing) == 0 {
		operation.Set("security", writeSecurity(ours))
		return
	}
	var joined []alternative
	changed := false
	for _, theirs := range existing {
		if slices.ContainsFunc(ours, func(a alternative) bool { return m.meets(theirs, a) }) {
			joined = append(joined, theirs)
			continue
		}
		changed = true
		joined = append(joined, product([]alternative{theirs}, ours)...)
	}
	if changed {
		operation.Set("security", writeSecurity(joined))
	}
}

// meets reports whether who has the credentials of one alternative has those
// of another too.
func (m *merger) meets(theirs, ours alternative) bool {
	schemes := m.section("securitySchemes")
	var carried []string
	for _, entry := range theirs {
		carried = append(carried, carrier(schemes.object(entry.name)))
	}
	return !slices.ContainsFunc(ours, func(e entry) bool {
		return !slices.Contains(carried, carrier(schemes.object(e.name)))
	})
}
