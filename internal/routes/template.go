package routes

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// placeholder finds a placeholder in a value.
var placeholder = regexp.MustCompile(`\{(\w[^{}]*)\}`)

// own are the placeholders, by how they begin, whose values come from the
// configuration, the machine or the gate, so that no client chooses them.
var own = []string{
	"http.error.", "http.intercept.status_code", "http.reverse_proxy.status_",
	"http.auth.error", "http.auth.required_scopes",
	"env.", "file.", "system.", "time.", "http.request.scheme",
}

// ofPath are the placeholders, by how they begin, that hold the path as the
// handlers see it.
const ofPath = "http.request.uri.path"

// isOwn reports whether no client chooses what a value with placeholders
// becomes.
func (s state) isOwn(value string) bool {
	return !slices.ContainsFunc(placeholder.FindAllStringSubmatch(value, -1), func(found []string) bool {
		key, _, _ := strings.Cut(found[1], ":") // behind the colon is a default
		switch {
		case key == "http.request.uri" || key == ofPath || strings.HasPrefix(key, ofPath+"."):
			return !s.view.Own
		case strings.HasPrefix(key, "http.matchers.file."):
			return !s.ownFile
		case key == "http.vars.root":
			return s.foreignRoot
		}
		isOwn := slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		return !isOwn && !slices.Contains(s.ownVars, key)
	})
}

// hostName finds the placeholders of the host, by which sites choose a folder.
var hostName = regexp.MustCompile(`\{http\.request\.(host|hostport|host\.labels\.\d+)\}`)

func withoutHost(value string) string { return hostName.ReplaceAllString(value, "") }

// afterRewrite says whether the path is still, or from now on, one that no
// client chooses.
func (s state) afterRewrite(r rewriting) bool {
	result := s.view.Own
	if path, _, _ := strings.Cut(r.URI, "?"); path != "" {
		result = s.isOwn(path)
	}
	for _, raw := range slices.Concat(r.URISubstring, r.PathRegexp) {
		var replacer struct {
			Replace string `json:"replace"`
		}
		result = result && json.Unmarshal(raw, &replacer) == nil && s.isOwn(replacer.Replace)
	}
	return result
}

// afterFile remembers whether a matcher of files looks only for those that no
// client chooses.
func (s state) afterFile(conditions []Condition) state {
	for _, condition := range conditions {
		if condition.Matcher != "file" && condition.Matcher != "rewritten file" {
			continue
		}
		var files struct {
			Root string   `json:"root"`
			Try  []string `json:"try_files"`
		}
		s.ownFile = json.Unmarshal([]byte(condition.Value), &files) == nil && s.isOwn(files.Root)
		if len(files.Try) == 0 {
			files.Try = []string{"{" + ofPath + "}"}
		}
		s.ownFile = s.ownFile && s.isOwn(strings.Join(files.Try, ""))
	}
	return s
}

// afterVars remembers which variables no client chooses.
func (s state) afterVars(h Handler, server *Server) state {
	s.ownVars = slices.Clone(s.ownVars)
	set := func(key, value string) {
		s.ownVars = slices.DeleteFunc(s.ownVars, func(name string) bool { return name == key })
		if s.isOwn(value) {
			s.ownVars = append(s.ownVars, key)
		}
		if key == "http.vars.root" {
			s.foreignRoot = !s.isOwn(withoutHost(value))
		}
	}
	switch h.Name {
	case "vars":
		var values map[string]any
		if json.Unmarshal(h.Config, &values) == nil {
			for key, value := range values {
				text, _ := value.(string)
				set("http.vars."+key, text)
			}
		}
	case "map":
		s.addMap(h, server, set)
	}
	return s
}

// addMap sets the destinations of a map: what they hold is one of its outputs or
// defaults. Of several maps with one destination the first that a request comes to counts.
func (s state) addMap(h Handler, server *Server, set func(key, value string)) {
	var config struct {
		destinations
		Defaults []string `json:"defaults"`
		Mappings []struct {
			Outputs []any `json:"outputs"`
		} `json:"mappings"`
	}
	if json.Unmarshal(h.Config, &config) != nil {
		return
	}
	for i, destination := range config.Destinations {
		var outputs []string
		if server.mapsTwice(destination) {
			outputs = append(outputs, "{of.another.map}")
		}
		if i < len(config.Defaults) {
			outputs = append(outputs, config.Defaults[i])
		}
		for _, mapping := range config.Mappings {
			if i < len(mapping.Outputs) {
				text, _ := mapping.Outputs[i].(string)
				outputs = append(outputs, strings.ReplaceAll(text, "$", "{http.request.uri.query}")) // a part of the source
			}
		}
		set(strings.Trim(destination, "{}"), strings.Join(outputs, " "))
	}
}

// destinations are the placeholders that a map sets.
type destinations struct {
	Destinations []string `json:"destinations"`
}

// mapsTwice reports whether several maps of a server have the destination.
func (s *Server) mapsTwice(destination string) bool {
	maps := 0
	for handler := range s.Handlers() {
		var config destinations
		if handler.Name == "map" && json.Unmarshal(handler.Config, &config) == nil && slices.Contains(config.Destinations, destination) {
			maps++
		}
	}
	return maps > 1
}
