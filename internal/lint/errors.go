package lint

import (
	"encoding/json"

	"github.com/excorp/caddy-require-auth/internal/locate"
	"github.com/excorp/caddy-require-auth/internal/survey"
)

// servedDenials finds routes that answer a denied request by its path.
func servedDenials(s *subject) []Finding {
	return s.eachServer(func(server *survey.Server, found survey.Survey) (all []Finding) {
		for _, leak := range s.config.Leaks(server, found) {
			all = append(all, Finding{What: leak.What(), Where: leak.Handler.Where, Mark: MarkOfLeak(leak)})
		}
		return all
	})
}

// lostStatus finds the proxies in the error routes of servers that have gates
// which pass on the status of the page.
func lostStatus(s *subject) []Finding {
	return s.eachServer(func(server *survey.Server, found survey.Survey) (all []Finding) {
		if len(found.Uses) == 0 {
			return nil
		}
		for _, routes := range append(errorRoutes(server.Routes), server.Errors) {
			pages := s.config.Walk(&survey.Server{Routes: routes, Named: server.Named}, survey.Region{})
			for _, row := range pages.Rows {
				if row.Handler.Name == "reverse_proxy" && row.Open() && !keepsStatus(row.Handler.Config) {
					mark := markOfRow(row)
					mark.Lines[0].Words = append(mark.Lines[0].Words, "handle_errors")
					const what = "error pages are proxied, and their status is that of the server they come from"
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

// MarkOfLeak is where in a Caddyfile the handler stands that answers a denied
// request.
func MarkOfLeak(leak survey.Leak) locate.Mark {
	mark := markOfRow(leak.Row)
	mark.Lines[0].Words = append(mark.Lines[0].Words, leak.Around.Directive())
	return mark
}
