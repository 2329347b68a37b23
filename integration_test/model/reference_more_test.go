package model

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// decideByLocation is [judge] for a gate that takes tokens out of the query and a
// cookie too. Two valid tokens of different callers are too many. Beside other text a
// valid token may be refused, but no other caller may pass.
func (g rule) decideByLocation(r *http.Request, callers map[carrier]caller) verdict {
	authorization, cookies := r.Header["Authorization"], strings.Join(r.Header["Cookie"], ";")
	written := slices.Clone(authorization)
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if value, ours := strings.CutPrefix(pair, "access_token="); ours {
			written = append(written, "Bearer "+value)
		}
	}
	inCookie := false
	for pair := range strings.SplitSeq(cookies, ";") {
		if value, ours := strings.CutPrefix(strings.Trim(pair, " \t"), "token="); ours {
			inCookie = true
			written = append(written, "Bearer "+strings.Trim(value, `"`))
		}
	}
	var found []caller
	for _, value := range written {
		if identity, ok := callers[carrier{"authorization", value}]; ok && len(value) > 6 && strings.EqualFold(value[:6], "bearer") {
			found = append(found, identity)
		}
	}
	var may verdict
	decoded, _ := url.QueryUnescape(r.URL.RawQuery)
	plain := decoded == r.URL.RawQuery && !strings.Contains(cookies, `"`)
	switch {
	case len(found) > 1 && slices.ContainsFunc(found, func(c caller) bool { return c.user != found[0].user }):
		may.statuses = []int{400}
	case len(found) > 1: // the same token in two places is one, and repeated in one place it is two
		may = verdict{statuses: []int{200, 400}, users: []string{found[0].user}}
	case len(found) == 1 && len(written) == 1 && plain:
		may = g.authorize(found[0])
	case len(found) == 1:
		may = verdict{statuses: []int{200, 400, 401}, users: []string{found[0].user}}
	default:
		may.statuses = []int{400, 401}
	}
	if inCookie && len(r.Header["Origin"])+len(r.Header["Sec-Fetch-Site"]) > 0 {
		may.statuses = append(may.statuses, http.StatusForbidden) // another site may have made the browser send it
	}
	return may.unlessForged(r, g)
}

// decideOperation is [judge] for a known caller at an MCP server where deleting takes
// the scope admin. A request without a plain operation passes only if it cannot be one
// that deletes.
func (g rule) decideOperation(r *http.Request, identity caller) verdict {
	may := g.decideNamed(r, identity)
	switch leaves, doubtful := leavesHTTP(r.Header["Upgrade"]); {
	case leaves:
		return verdict{statuses: []int{400}} // nobody sees what would be called then
	case doubtful:
		may.statuses = append(may.statuses, http.StatusBadRequest)
	}
	return may
}

// leavesHTTP reports whether a request asks for a protocol that is certainly
// not HTTP, or may be one that is not.
func leavesHTTP(fields []string) (leaves, doubtful bool) {
	for _, field := range fields {
		field = strings.ToLower(field)
		another := !strings.Contains(field, "h") && !strings.Contains(field, "tls")
		leaves = leaves || another && strings.Trim(field, "\t ,") != ""
		doubtful = doubtful || field != "h2c"
	}
	return leaves, doubtful
}

// decideNamed decides by the fields and the body of a request.
func (g rule) decideNamed(r *http.Request, identity caller) verdict {
	if slices.Contains([]string{"GET", "HEAD", "OPTIONS", "DELETE"}, r.Method) {
		if len(r.Header["X-Http-Method-Override"]) > 0 {
			return verdict{statuses: []int{400}}
		}
		return verdict{statuses: []int{200, 400}, users: []string{identity.user}}
	}
	revision, method, name := r.Header["Mcp-Protocol-Version"], r.Header["Mcp-Method"], r.Header["Mcp-Name"]
	if len(revision) != 1 || revision[0] < "2026-07-28" || len(method) != 1 || len(name) > 1 {
		return verdict{statuses: []int{400}}
	}
	mayDelete, written := slices.Contains(identity.scopes, "admin"), strings.Join(name, "")
	doubtful := len(r.Header["Connection"]) > 0
	for field := range r.Header {
		doubtful = doubtful || strings.ContainsAny(field, "_.")
	}
	switch {
	case revision[0] != "2026-07-28" || doubtful || written != "read_file" && written != "delete_file":
		if mayDelete || method[0] != "tools/call" || !strings.Contains(written, "delete_") && !strings.Contains(written, "=?") {
			return verdict{statuses: []int{200, 400, 403}, users: []string{identity.user}}
		}
		return verdict{statuses: []int{400, 403}}
	case method[0] == "tools/call" && name[0] == "delete_file" && !mayDelete:
		return verdict{statuses: []int{403}}
	case method[0] == "tools/call":
		return verdict{statuses: []int{200}, users: []string{identity.user}}
	default:
		return verdict{statuses: []int{200, 400}, users: []string{identity.user}}
	}
}
