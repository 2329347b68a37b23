package keyset

import (
	"encoding/json"
	"fmt"
	"maps"
)

// members is a JSON object by its exact member names. Decoding into a struct would also
// accept "Issuer" for "issuer", which RFC 8259 distinguishes.
type members map[string]json.RawMessage

// parseMembers reads an object. A null member counts as absent, because some providers
// write every member.
func parseMembers(data []byte) (members, error) {
	var object members
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	maps.DeleteFunc(object, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return object, nil
}

// text returns an optional member that must be a string.
func (m members) text(name string) (string, error) {
	value, found := m[name]
	if !found {
		return "", nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return text, nil
}

// first returns the first of the names that the object has.
func (m members) first(names ...string) (string, bool) {
	for _, name := range names {
		if _, found := m[name]; found {
			return name, true
		}
	}
	return "", false
}
