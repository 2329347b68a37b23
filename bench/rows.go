package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"golang.org/x/crypto/bcrypt"
)

// row is a line of the table: what one server does against what the other one
// does with the same requests.
type row struct {
	name     string
	bare     string // lines of the site to compare with
	gated    string
	open     func(address string) (client, error) // the protocol; open1 if nil
	requests [][]byte                             // what is sent
	status   int                                  // of the answers
	ratio    bound                                // of the processor time
	more     bound                                // processor time of a request

	fresh      func(round int) [][]byte // requests of a round, instead, each sent once
	bareStatus int                      // if another

	// The answers of the gated site to other requests, which prove that the gate does what
	// the row claims.
	denies map[int][][]byte
}

// setting is what the sites of all rows have in common.
type setting struct {
	options
	keys        *signers
	folder      string
	certificate string // the line `tls`
	upstream    string // the address of a server that answers `ok`, and lists of tools
}

const ok = "\trespond ok\n"

// reader is the line of an upstream that reads bodies.
const reader = "\tbench_reader\n"

// basicAuthorization is the right user and password.
var basicAuthorization = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))

// configuration is the global options of a server with the schemes.
func configuration(keys *signers) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(apiKey))
	return fmt.Sprintf(`	auth {
		bearer corp {
			issuer %s
			audience %s
			key_file %s
		}
		basic ops {
			user alice %s
		}
		api_key partners {
			key partner-a sha256:%[5]s
		}
		api_key authorized {
			from authorization
			key partner-a sha256:%[5]s
		}
	}
`, issuer, audience, keys.file, hash, hex.EncodeToString(digest[:])), nil
}

// tools is the answer to tools/list with 500 tools, of which a caller without scopes
// must not see those whose name begins with delete_.
func tools(schema string) string {
	var all []string
	for i := range 500 {
		name := "tool"
		if i%10 == 0 {
			name = "delete"
		}
		all = append(all, fmt.Sprintf(`{"name":"%s_%d",%s}`, name, i, schema))
	}
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(all, ",") + `]}}`
}

const smallSchema = `"inputSchema":{"type":"object"}`

// largeSchema is the schema of a tool, of 2 KB.
var largeSchema = `"inputSchema":{"type":"object","required":["path"],"properties":{` + func() string {
	var all []string
	for i := range 16 {
		all = append(all, fmt.Sprintf(`"path_%d":{"type":"string","description":"The path of the file, relative to the folder of the project","minLength":1}`, i))
	}
	return strings.Join(all, ",")
}() + `}}`

// upstreamLists are the paths of the upstream that answer with lists of tools.
var upstreamLists = map[string]string{"/small": smallSchema, "/large": largeSchema}

// upstreamSite is the site of the upstream.
func upstreamSite(folder string) (string, error) {
	var site strings.Builder
	for path, schema := range upstreamLists {
		file := filepath.Join(folder, path+".json")
		if err := os.WriteFile(file, []byte(tools(schema)), 0o600); err != nil {
			return "", err
		}
		fmt.Fprintf(&site, "\thandle %s {\n\t\trewrite %[1]s.json\n\t\tmethod GET\n\t\tfile_server {\n\t\t\troot %s\n\t\t}\n\t}\n", path, folder)
	}
	site.WriteString("\thandle {\n\t" + ok + "\t}\n")
	return site.String(), nil
}

// document is an OpenAPI document with a hundred operations.
func document() string {
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprintf(`"/v1/resource-%d/{id}":{"get":{"security":[{"corp":[]}],"responses":{}}}`, i))
	}
	return `{"openapi":"3.1.0","info":{"title":"API","version":"1"},"paths":{` + strings.Join(paths, ",") +
		`},"components":{"securitySchemes":{"corp":{"type":"http","scheme":"bearer"}}}}`
}

// gate is a gate of a Caddyfile with lines in its block.
func gate(scheme string, lines ...string) string {
	if len(lines) == 0 {
		return "\trequire_auth " + scheme + "\n"
	}
	return "\trequire_auth " + scheme + " {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}\n"
}

// rows are the rows of the table of servers.
func rows(s setting) ([]row, error) {
	file := filepath.Join(s.folder, "openapi.json")
	if err := os.WriteFile(file, []byte(document()), 0o600); err != nil {
		return nil, err
	}
	token := s.keys.token(jwa.RS256, 1)
	authorization := "Authorization: Bearer " + token
	warm := [][]byte{bearer(token)}
	proxy := "\treverse_proxy " + s.upstream + "\n"

	all := rowsWithoutGate(warm)
	for _, algorithm := range algorithms {
		all = append(all, row{
			name: "one warm token, " + algorithm.String(), bare: ok, gated: gate("corp") + ok, status: 200,
			requests: [][]byte{bearer(s.keys.token(algorithm, 1))}, ratio: ratio(1.04),
		})
	}
	var many [][]byte
	for _, token := range s.keys.tokens(jwa.ES256, 0, s.many) {
		many = append(many, bearer(token))
	}
	call := func(tool string, arguments string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{` + arguments + `}}}`
	}
	post := func(path, body string) []byte { return requestFor("POST "+path+" HTTP/1.1", body, authorization) }
	lines := `"lines":["` + strings.Repeat(`some text of a line","`, 380) + `"]`
	rpc := func(tool, arguments string) []byte {
		return requestFor("POST / HTTP/1.1", call(tool, arguments), authorization,
			"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: "+tool)
	}
	ruled := []string{"mcp {", "\ttool delete_* tools:delete", "}"}
	inspected := slices.Insert(slices.Clone(ruled), 2, "\tinspect 1MiB")
	filtered := slices.Insert(slices.Clone(inspected), 3, "\tlist filtered")
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	all = append(all,
		row{name: "10,000 tokens in turn, warm", bare: ok, gated: gate("corp") + ok, status: 200, requests: many, ratio: ratio(1.06)},
		row{name: "API key", bare: ok, gated: gate("partners") + ok, status: 200, requests: [][]byte{request("X-API-Key: " + apiKey)}, ratio: ratio(1.02)},
		row{name: "API key in `Authorization`", bare: ok, gated: gate("authorized") + ok, status: 200, requests: [][]byte{bearer(apiKey)}, ratio: ratio(1.02)},
		row{name: "Basic, warm", bare: ok, gated: gate("ops") + ok, status: 200, requests: [][]byte{request(basicAuthorization)}, ratio: ratio(1.02)},
		row{name: "401, against Caddy's `error 401`", gated: gate("corp") + ok, status: 401, requests: [][]byte{request()}, ratio: ratio(1),
			bare: "\terror 401\n\thandle_errors {\n\t\trespond " + strings.Repeat("x", 167) + "\n\t}\n"},
		row{name: "one warm token, HTTP/2", bare: s.certificate + ok, gated: s.certificate + gate("corp") + ok, open: open2, status: 200, requests: warm, ratio: ratio(1.04)},
		row{name: "one warm token, HTTP/3", bare: s.certificate + ok, gated: s.certificate + gate("corp") + ok, open: open3, status: 200, requests: warm, ratio: ratio(1.04)},
		row{name: "`reverse_proxy` behind the gate", bare: proxy, gated: gate("corp") + proxy, status: 200, requests: warm, ratio: ratio(1.02)},
		row{name: "`openapi` with 100 operations", bare: ok, gated: gate("corp", "openapi "+file) + ok, status: 200, ratio: ratio(1.1),
			requests: [][]byte{requestFor("GET /v1/resource-42/7 HTTP/1.1", "", authorization)},
			denies:   map[int][][]byte{404: {requestFor("GET /v1/resource-100/7 HTTP/1.1", "", authorization)}}},
		row{name: "`end_streams all`, against the gate without", bare: gate("corp") + ok, gated: gate("corp", "end_streams all") + ok, status: 200, requests: warm, ratio: ratio(1.02)},
		row{name: "`inspect` of 8 KB, against the same gate without", bare: gate("corp", ruled...) + reader, gated: gate("corp", inspected...) + reader, status: 200, more: micros(20),
			requests: [][]byte{rpc("read", lines)},
			denies:   map[int][][]byte{403: {rpc("delete_x", lines)}, 400: {rpc("read", lines+`,"lines":1`)}}},
		row{name: "`list filtered`, 500 tools in 23 KB", bare: gate("corp", inspected...) + proxy, gated: gate("corp", filtered...) + proxy, status: 200, more: micros(1000),
			requests: [][]byte{post("/small", list)}},
		row{name: "`list filtered`, 500 tools in 1 MB", bare: gate("corp", inspected...) + proxy, gated: gate("corp", filtered...) + proxy, status: 200, more: micros(5000),
			requests: [][]byte{post("/large", list)}},
		row{name: "every token new, RS256, against `jwt.Parse`", bare: s.parsing() + ok, gated: gate("corp") + ok, status: 200, ratio: ratio(0.5),
			fresh: s.everyTokenNew},
		row{name: "the worst request: a new forged ES256 token of 8 KB", bare: ok, gated: gate("corp ops partners") + ok, status: 401, bareStatus: 200, more: micros(200),
			fresh: func(round int) [][]byte { return s.keys.forged(round, s.fresh/4) }},
	)
	return all, nil
}

// rowsWithoutGate have no gate: they show the noise, and what no gate can be cheaper than.
func rowsWithoutGate(warm [][]byte) []row {
	return []row{
		{name: "bare against bare", bare: ok, gated: ok, status: 200, requests: [][]byte{request()}, ratio: ratio(1.01)},
		{name: "the least: a digest and a lookup", bare: ok, gated: "\tbench_least\n" + ok, status: 200, requests: warm},
		{name: "the least, with a state, a placeholder and a counter", bare: ok, gated: "\tbench_least state\n" + ok, status: 200, requests: warm},
	}
}

// parsing is a gate that parses each token with jwt.Parse.
func (s setting) parsing() string {
	return fmt.Sprintf("\tbench_peer * %s %s %s\n", s.keys.file, issuer, audience)
}

// everyTokenNew are requests with tokens that no round had before.
func (s setting) everyTokenNew(round int) [][]byte {
	var all [][]byte
	for _, token := range s.keys.tokens(jwa.RS256, 1_000_000+round*s.fresh, s.fresh) {
		all = append(all, bearer(token))
	}
	return all
}

// measureServers prints the rows that compare servers.
func measureServers(out io.Writer, o options, program, folder string, keys *signers, rowsOf func(setting) ([]row, error)) error {
	site, err := upstreamSite(folder)
	if err != nil {
		return err
	}
	upstream, err := start("", folder, "upstream", "", map[string]string{"site": site})
	if err != nil {
		return err
	}
	defer upstream.stop()
	certificate, err := selfSigned(folder)
	if err != nil {
		return err
	}
	global, err := configuration(keys)
	if err != nil {
		return err
	}
	all, err := rowsOf(setting{o, keys, folder, certificate, upstream.address("site")})
	if err != nil {
		return err
	}
	tableHead(out, "work", "bound", "processor time", "middle half", "more", "requests a second")
	for _, r := range all {
		if !strings.Contains(r.name, o.only) {
			continue
		}
		if err := r.measure(out, o, program, folder, global); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// sample is one run: requests a second, and processor time for each in µs.
type sample struct{ rate, cpu float64 }

// measured is what the runs of a row are.
type measured struct{ rates, ratios, more figures }

func (r row) measure(out io.Writer, o options, program, folder, global string) error {
	var all measured
	for launch := range o.launches {
		if err := r.launch(&all, launch, o, program, folder, global); err != nil {
			return err
		}
	}
	limit, processor, more := r.ratio, ratio(r.ratio.most), micros(r.more.most)
	if r.more.most > 0 {
		limit = r.more
	}
	tableLine(out, r.name, limit, processor.show(all.ratios.median()), all.ratios.half("%.2f"), more.show(all.more.median()), fmt.Sprintf("%.2f", all.rates.median()))
	return nil
}

// pair are the two servers of a row, and their clients.
type pair struct {
	servers [2]*server
	clients [2]*clients
}

// launch starts both servers of a row and measures some pairs.
func (r row) launch(all *measured, launch int, o options, program, folder, global string) error {
	p, stop, err := r.start(program, folder, global)
	defer stop()
	if err != nil {
		return err
	}
	for number := -1; number < o.pairs; number++ { // the first pair warms up
		job := load{requests: r.requests, time: o.time}
		if r.fresh != nil {
			job = load{requests: r.fresh(launch*(o.pairs+1) + number + 1)}
		}
		var samples [2]sample
		for turn := range samples {
			which := (turn + number + launch + 2) % 2
			if job.status = r.status; which == 0 {
				job.status = cmp.Or(r.bareStatus, r.status)
			}
			if samples[which], err = p.run(job, which); err != nil {
				return err
			}
		}
		if number >= 0 {
			all.rates = append(all.rates, samples[1].rate/samples[0].rate)
			all.ratios = append(all.ratios, samples[1].cpu/samples[0].cpu)
			all.more = append(all.more, samples[1].cpu-samples[0].cpu)
		}
	}
	return nil
}

// start starts both servers of a row and opens the connections.
func (r row) start(program, folder, global string) (p *pair, stop func(), err error) {
	p = new(pair)
	stop = func() {
		for i := range p.servers {
			if p.clients[i] != nil {
				p.clients[i].close()
			}
			if p.servers[i] != nil {
				p.servers[i].stop()
			}
		}
	}
	open := r.open
	if open == nil {
		open = open1
	}
	for i, lines := range []string{r.bare, r.gated} {
		if p.servers[i], err = start(program, folder, fmt.Sprint("site-", i), global, map[string]string{"site": lines}); err != nil {
			return p, stop, err
		}
		if p.clients[i], err = dial(open, p.servers[i].address("site")); err != nil {
			return p, stop, err
		}
	}
	return p, stop, nil
}

// run sends a load to one of the servers.
func (p *pair) run(job load, which int) (sample, error) {
	before, err := p.servers[which].used("cpu")
	if err != nil {
		return sample{}, err
	}
	answered, elapsed, err := p.clients[which].send(job)
	if err != nil {
		return sample{}, err
	}
	after, err := p.servers[which].used("cpu")
	return sample{rate: float64(answered) / elapsed.Seconds(), cpu: float64(after.cpu-before.cpu) / float64(answered) / 1e3}, err
}
