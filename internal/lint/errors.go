package lint

import (
	"encoding/json"

	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// servedDenials finds routes that answer a denied request by its path.
func servedDenials(s *subject) []Finding {
	return s.eachServer(func(server *routes.Server, found routes.Analysis) (all []Finding) {
		for _, leak := range s.config.Leaks(server, found) {
			all = append(all, Finding{What: leak.What(), Where: leak.Handler.Where, Query: QueryOfLeak(leak)})
		}
		return all
	})
}

// lostStatus finds proxies in the error routes of servers with gates that replace the
// status of the denial.
func lostStatus(s *subject) []Finding {
	return s.eachServer(func(server *routes.Server, found routes.Analysis) (all []Finding) {
		if len(found.Gates) == 0 {
			return nil
		}
		errors := [][]routes.Route{server.Errors}
		for handler := range server.Handlers() {
			errors = append(errors, handler.Errors)
		}
		for _, list := range errors {
			pages := s.config.Walk(&routes.Server{Routes: list, Named: server.Named}, routes.Region{})
			for _, row := range pages.Rows {
				if row.Handler.Name == "reverse_proxy" && row.Open() && !keepsStatus(row.Handler.Config) {
					query := queryOfRow(row)
					query.Lines[0].Words = append(query.Lines[0].Words, "handle_errors")
					const message = "error pages are proxied, and their status is that of the server they come from"
					all = append(all, Finding{What: message, Where: row.Handler.Where, Query: query})
				}
			}
		}
		return all
	})
}

// keepsStatus reports whether a proxy changes the status of some answers, itself or by
// a handler. It checks neither the status nor the answers.
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
		return true // a proxy of another plugin
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

// QueryOfLeak is the position in a Caddyfile of the handler that answers a denied
// request.
func QueryOfLeak(leak routes.Leak) sourcepos.Query {
	query := queryOfRow(leak.Row)
	query.Lines[0].Words = append(query.Lines[0].Words, leak.Substitute.Directive())
	return query
}
