package lint

import (
	"encoding/json"

	"github.com/excorp/caddy-require-auth/internal/survey"
)

func proxiedErrors(s *subject) []Finding {
	return s.eachErrorProxy("error pages are proxied on the path of the request", func(row survey.Row) bool {
		return !row.View.MovedPath()
	})
}

func lostStatus(s *subject) []Finding {
	return s.eachErrorProxy("error pages are proxied, and their status is that of the server they come from", func(row survey.Row) bool {
		return !keepsStatus(row.Handler.Config)
	})
}

// eachErrorProxy goes through the proxies in the error routes of servers that
// have gates.
func (s *subject) eachErrorProxy(what string, applies func(survey.Row) bool) []Finding {
	return s.eachServer(func(server *survey.Server, found survey.Survey) (all []Finding) {
		if len(found.Uses) == 0 {
			return nil
		}
		for _, routes := range append(errorRoutes(server.Routes), server.Errors) {
			pages := s.config.Walk(&survey.Server{Routes: routes, Named: server.Named}, survey.Region{})
			for _, row := range pages.Rows {
				if row.Handler.Name == "reverse_proxy" && row.Open() && applies(row) {
					mark := markOfRow(row)
					mark.Lines[0].Words = append(mark.Lines[0].Words, "handle_errors")
					all = append(all, Finding{What: what, Where: row.Handler.Where, Mark: mark})
				}
			}
		}
		return all
	})
}

// keepsStatus reports whether a proxy gives some answers another status than
// that of the upstream, by itself or by a handler. Which status, and for which
// answers, is not looked at.
func keepsStatus(proxy json.RawMessage) bool {
	var config struct {
		HandleResponse []struct {
			StatusCode json.RawMessage `json:"status_code"`
			Routes     []struct {
				Handle []struct {
					Name       string          `json:"handler"`
					StatusCode json.RawMessage `json:"status_code"`
				} `json:"handle"`
			} `json:"routes"`
		} `json:"handle_response"`
	}
	if json.Unmarshal(proxy, &config) != nil {
		return true // somebody's own kind of proxy
	}
	for _, response := range config.HandleResponse {
		if len(response.StatusCode) > 0 {
			return true
		}
		for _, route := range response.Routes {
			for _, handler := range route.Handle {
				if handler.Name != "copy_response" || len(handler.StatusCode) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// errorRoutes collects the error routes of subroutes.
func errorRoutes(routes []survey.Route) (all [][]survey.Route) {
	for _, route := range routes {
		for _, handler := range route.Handle {
			all = append(all, handler.Errors)
			all = append(all, errorRoutes(handler.Routes)...)
		}
	}
	return all
}
