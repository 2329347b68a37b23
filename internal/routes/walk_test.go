package routes

import (
	"fmt"
	"strings"
	"testing"
)

// waysOf walks through routes and describes each row.
func waysOf(t *testing.T, routes string) (ways []string, found Analysis) {
	t.Helper()
	config, err := Parse([]byte(`{"apps": {"http": {"servers": {"srv0": {"routes": ` + routes + `,
		"named_routes": {"app": {"handle": [{"handler": "file_server"}]}, "loop": {"handle": [{"handler": "invoke", "name": "loop"}, {"handler": "invoke", "name": "loop"}]}}
	}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	found = config.Walk(&config.Servers[0], Region{})
	for _, row := range found.Rows {
		gates := make([]string, len(row.Gates))
		for i, gate := range row.Gates {
			gates[i] = strings.Join(gate.Schemes, ",")
		}
		ways = append(ways, fmt.Sprintf("%s %v %s", text(row.Region), gates, row.Handler.Name))
	}
	return ways, found
}

func TestWalk(t *testing.T) {
	for name, c := range map[string]struct{ routes, want string }{
		"the first route of a group that matches is the only one": {
			`[{"group": "g", "match": [{"path": ["/a"]}], "handle": [{"handler": "headers"}]}, {"group": "g", "handle": [{"handler": "file_server"}]}]`,
			`{"except":[{"paths":[["/a"]]}]} [] file_server`,
		},
		"a terminal route is the last": {
			`[{"match": [{"path": ["/a"]}], "handle": [{"handler": "headers"}], "terminal": true}, {"handle": [{"handler": "file_server"}]}]`,
			`{"except":[{"paths":[["/a"]]}]} [] file_server`,
		},
		"a subroute that does not answer goes on": {
			`[{"handle": [{"handler": "subroute", "routes": [{"handle": [{"handler": "require_auth", "schemes": ["x"]}]}]}]}, {"handle": [{"handler": "file_server"}]}]`,
			`{} [x] file_server`,
		},
		"a named route": {
			`[{"handle": [{"handler": "require_auth", "schemes": ["x"]}, {"handler": "invoke", "name": "app"}]}]`,
			`{} [x] file_server`,
		},
		"an unknown handler answers if no other does": {
			`[{"match": [{"path": ["/a"]}], "handle": [{"handler": "mystery"}]}]`,
			`{"paths":[["/a"]]} [] mystery`,
		},
		"and hands on where something does": {
			`[{"match": [{"path": ["/a"]}], "handle": [{"handler": "mystery"}]}, {"handle": [{"handler": "file_server"}]}]`,
			`{"paths":[["/a"]]} [] file_server;{"except":[{"paths":[["/a"]]}]} [] file_server`,
		},
		"a file server that passes on": {
			`[{"handle": [{"handler": "file_server", "pass_thru": true}, {"handler": "require_auth", "schemes": ["x"]}, {"handler": "metrics"}]}]`,
			`{} [] file_server;{} [x] metrics`,
		},
		"a method that is changed": {
			`[{"handle": [{"handler": "rewrite", "method": "get"}]}, {"match": [{"method": ["POST"]}], "handle": [{"handler": "metrics"}]}, {"match": [{"method": ["GET"]}], "handle": [{"handler": "file_server"}]}]`,
			`{} [] file_server`,
		},
		"a constant path": {
			`[{"handle": [{"handler": "rewrite", "uri": "/B?x"}]}, {"match": [{"path": ["/a"]}], "handle": [{"handler": "metrics"}]}, {"match": [{"path": ["/b*"]}], "handle": [{"handler": "file_server"}]}]`,
			`{} [] file_server`,
		},
		"a path below another": {
			`[{"handle": [{"handler": "rewrite", "uri": "/app{http.request.uri}"}]}, {"match": [{"path": ["/app/x/*"]}], "handle": [{"handler": "metrics"}]}, {"match": [{"path": ["/x/*"]}], "handle": [{"handler": "mystery"}]}]`,
			`{"paths":[["/x/*"]]} [] metrics`,
		},
		"a path that cannot be followed": {
			`[{"handle": [{"handler": "rewrite", "strip_path_suffix": ".html"}]}, {"match": [{"path": ["/x"]}], "handle": [{"handler": "metrics"}]}]`,
			`{"other":[{"matcher":"rewritten path","value":"/x"}]} [] metrics`,
		},
		"a matcher known by name on another path": {
			`[{"match": [{"path_regexp": {"pattern": "^/x"}}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}, {"handle": [{"handler": "rewrite", "uri": "/x"}]}, {"match": [{"path_regexp": {"pattern": "^/x"}}], "handle": [{"handler": "metrics"}]}]`,
			`{"other":[{"matcher":"path_regexp","value":"{\"pattern\":\"^/x\"}"},{"matcher":"rewritten path_regexp","value":"{\"pattern\":\"^/x\"}"}]} [x] metrics;` +
				`{"other":[{"matcher":"rewritten path_regexp","value":"{\"pattern\":\"^/x\"}"}],"except":[{"other":[{"matcher":"path_regexp","value":"{\"pattern\":\"^/x\"}"}]}]} [] metrics`,
		},
		"and one that does not look at it": {
			`[{"match": [{"protocol": "https"}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}, {"handle": [{"handler": "rewrite", "uri": "/x"}]}, {"match": [{"protocol": "https"}], "handle": [{"handler": "metrics"}]}]`,
			`{"other":[{"matcher":"protocol","value":"\"https\""}]} [x] metrics`,
		},
		"one of the path after all": {
			`[{"match": [{"vars": {"{http.request.uri}": ["/x"]}}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}, {"handle": [{"handler": "rewrite", "uri": "/x"}]}, {"match": [{"vars": {"{http.request.uri}": ["/x"]}}], "handle": [{"handler": "metrics"}]}]`,
			`{"other":[{"matcher":"vars","value":"{\"{http.request.uri}\":[\"/x\"]}"},{"matcher":"rewritten vars","value":"{\"{http.request.uri}\":[\"/x\"]}"}]} [x] metrics;` +
				`{"other":[{"matcher":"rewritten vars","value":"{\"{http.request.uri}\":[\"/x\"]}"}],"except":[{"other":[{"matcher":"vars","value":"{\"{http.request.uri}\":[\"/x\"]}"}]}]} [] metrics`,
		},
		"two matchers, of which either will do": {
			`[{"match": [{"path": ["/a"]}, {"method": ["PUT"]}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}, {"handle": [{"handler": "metrics"}]}]`,
			`{"paths":[["/a"]]} [x] metrics;{"methods":["PUT"],"except":[{"paths":[["/a"]]}]} [x] metrics;{"except":[{"paths":[["/a"]]},{"methods":["PUT"]}]} [] metrics`,
		},
		"a matcher that is turned around": {
			`[{"match": [{"not": [{"path": ["/a"]}]}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}, {"match": [{"path": ["/a", "/b"]}], "handle": [{"handler": "metrics"}]}]`,
			`{"paths":[["/b"]]} [x] metrics;{"paths":[["/a"]]} [] metrics`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ways, _ := waysOf(t, c.routes)
			if got := strings.Join(ways, ";"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestBounds has configurations that exceed the bounds. Their analysis must not claim
// that a request passes a gate that it does not pass.
func TestBounds(t *testing.T) {
	var routes []string
	for i := range 40 {
		routes = append(routes, fmt.Sprintf(`{"match": [{"header": {"X-%d": ["1"]}}], "handle": [{"handler": "require_auth", "schemes": ["x"]}]}`, i))
	}
	routes = append(routes, `{"handle": [{"handler": "file_server"}]}`)
	_, found := waysOf(t, "["+strings.Join(routes, ",")+"]")
	open := 0
	for _, row := range found.Rows {
		if row.Open() {
			open++
		}
	}
	if !found.Coarse || len(found.Rows) > 2*maxWays || open == 0 {
		t.Errorf("coarse: %t, %d rows, %d open", found.Coarse, len(found.Rows), open)
	}
	waysOf(t, `[{"handle": [{"handler": "invoke", "name": "loop"}]}]`)
	deep := strings.Repeat(`[{"handle":[{"handler":"subroute","routes":`, 200) + `[]` + strings.Repeat(`}]}]`, 200)
	if _, err := Parse([]byte(`{"apps":{"http":{"servers":{"s":{"routes":` + deep + `}}}}}`)); err == nil {
		t.Error("routes of any depth are read")
	}
}
