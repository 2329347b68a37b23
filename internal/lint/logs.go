package lint

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// defaultLog is the part of the default logger that decides what it shows.
type defaultLog struct {
	Exclude []string `json:"exclude"`
	Include []string `json:"include"`
	Writer  struct {
		Output string `json:"output"`
	} `json:"writer"`
	Encoder struct {
		Format string                     `json:"format"`
		Fields map[string]json.RawMessage `json:"fields"`
	} `json:"encoder"`
}

// errorLogs are the logger names of Caddy's records with requests.
var errorLogs = []string{"http", "http.log", "http.log.error"}

// shownInLog finds credentials that Caddy's error log shows.
func shownInLog(s *subject) (found []Finding) {
	var log defaultLog
	if raw := s.config.Logs["default"]; raw != nil && json.Unmarshal(raw, &log) != nil {
		return nil
	}
	if log.Writer.Output == "discard" || slices.ContainsFunc(log.Exclude, func(name string) bool { return slices.Contains(errorLogs, name) }) ||
		len(log.Include) > 0 && !slices.ContainsFunc(log.Include, func(name string) bool { return slices.Contains(errorLogs, name) }) {
		return nil
	}
	for _, one := range s.schemes {
		member := "from"
		if one.Kind == "bearer" {
			member = "token_from"
		}
		for _, location := range one.shownLocations() {
			if log.shows(location) {
				message := "the default logger shows the " + location.In + " " + location.Name
				found = append(found, one.at(message, member))
			}
		}
	}
	return found
}

// shows reports whether the log contains a credential at a location.
func (l defaultLog) shows(p location) bool {
	filters := l.Encoder.Fields
	if l.Encoder.Format != "filter" {
		filters = nil
	}
	switch p.In {
	case "header":
		return filters["request>headers>"+http.CanonicalHeaderKey(p.Name)] == nil && filters["request>headers"] == nil && filters["request"] == nil
	case "query":
		return filters["request"] == nil && !hidesParameter(filters["request>uri"], p.Name)
	}
	return false // Caddy hides Authorization and Cookie
}

// hidesParameter reports whether a filter of the URI removes a parameter.
func hidesParameter(filter json.RawMessage, name string) bool {
	var uri struct {
		Filter  string `json:"filter"`
		Actions []struct {
			Parameter string `json:"parameter"`
		} `json:"actions"`
	}
	if filter == nil || json.Unmarshal(filter, &uri) != nil {
		return false
	}
	return uri.Filter != "query" || slices.ContainsFunc(uri.Actions, func(a struct {
		Parameter string `json:"parameter"`
	}) bool {
		return a.Parameter == name
	})
}

// shownLocations are the locations of a scheme's credentials that Caddy does not hide, with
// their default names.
func (s scheme) shownLocations() (all []location) {
	for _, p := range slices.Concat(s.TokenFrom, s.From) {
		switch {
		case p.In == "header" && p.Name == "" && s.Kind == "api_key":
			p.Name = "X-API-Key"
		case p.In == "query" && p.Name == "" && s.Kind == "bearer":
			p.Name = "access_token"
		}
		if p.Name != "" && !strings.EqualFold(p.Name, "Authorization") {
			all = append(all, p)
		}
	}
	if s.Kind == "api_key" && len(s.From) == 0 {
		all = append(all, location{In: "header", Name: "X-API-Key"})
	}
	return all
}
