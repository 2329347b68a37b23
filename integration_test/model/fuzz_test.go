package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"golang.org/x/net/http/httpguts"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// dictionary are the pieces that requests are made of: a byte of the fuzzer's
// chooses one, or the text that follows it.
type dictionary struct {
	methods, paths, fields, values []string
	callers                        map[carrier]caller
	secrets                        []string
}

func newDictionary(t testing.TB) *dictionary {
	t.Helper()
	reader := harness.Token(t, harness.Claims{"scope": "read", "sub": "reader"})
	admin := harness.Token(t, harness.Claims{"scope": "admin", "sub": "root"})
	both := harness.Token(t, harness.Claims{"scope": "read admin", "sub": "both"})
	expired := harness.Token(t, harness.Claims{"exp": 1})
	forged := harness.Sign(t, jwa.HS256, []byte(strings.Repeat("x", 40)), nil)
	password := basic("alice", password)
	d := &dictionary{
		methods: []string{"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE"},
		fields: []string{
			"Authorization", "authorization", "X-API-Key", "x-api-key", "X-User", "X_User", "x-user", "Origin", "Access-Control-Request-Method", "Accept",
			"X-Requested-With", "Sec-Fetch-Mode", "X-Trace-Id", "Cookie", "Connection", "Upgrade", "Content-Type", "DPoP", "Proxy-Authorization", "Accept-Language",
			"Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "mcp_name", "X-HTTP-Method-Override", "Sec-Fetch-Site",
		},
		values: []string{
			"Bearer " + reader, "Bearer " + admin, "Bearer " + expired, "Bearer " + forged, password, apiKey, oldKey, "bearer " + reader, "BEARER  " + reader,
			reader, "DPoP " + reader, "Bearer", "Bearer ", "Basic", "Basic Og==", "Basic YWxpY2U", "Digest a=b", "Bearer " + reader + "=", "Bearer " + reader + ", Basic x",
			"admin", "https://web.example", "null", "POST", "text/html", "application/json", "text/plain", "*/*;q=0", "XMLHttpRequest", "navigate", "cors",
			"close, X-User", "h2c", "a=b; c=d", "application/x-www-form-urlencoded", "trace-1", "\"><script>", "ko",
			"Bearer " + both, "2026-07-28", "2025-11-25", "tools/call", "tools/list", "delete_file", "read_file", "=?base64?ZGVsZXRlX2ZpbGU=?=", "Mcp-Name",
			"token=" + reader, "a=b; token=\"" + admin + "\"", "token=" + forged, "cross-site",
		},
		callers: map[carrier]caller{
			{"authorization", "Bearer " + reader}:  {"reader", []string{"read"}, nil},
			{"authorization", "bearer " + reader}:  {"reader", []string{"read"}, nil},
			{"authorization", "Bearer " + admin}:   {"root", []string{"admin"}, nil},
			{"authorization", "Bearer " + both}:    {"both", []string{"read", "admin"}, nil},
			{"authorization", "BEARER  " + reader}: {"reader", []string{"read"}, nil},
			{"authorization", password}:            {"alice", []string{"read"}, []string{"operator"}},
			{"x-api-key", apiKey}:                  {"alice", []string{"read"}, []string{"operator"}},
		},
		secrets: []string{both[40:], reader[40:], admin[40:], expired[40:], forged[40:], strings.TrimPrefix(password, "Basic "), apiKey, oldKey},
	}
	for path := range rules {
		d.paths = append(d.paths, path)
	}
	slices.Sort(d.paths)
	d.paths = append(d.paths, "/", "/bearer/", "//bearer", "/BEARER", "/%62earer", "/bearer?access_token="+reader, "/open",
		"/places?access_token="+reader, "/places?access_token="+forged, "/places?access_token="+reader+"&access_token="+reader)
	return d
}

// write makes a request of the fuzzer's bytes. A byte above 0xbf means that the
// piece stands there itself, up to the next zero.
func (d *dictionary) write(data []byte) []byte {
	piece := func(pieces []string) string {
		if len(data) == 0 {
			return pieces[0]
		}
		choice := data[0]
		data = data[1:]
		if choice <= 0xbf {
			return pieces[int(choice)%len(pieces)]
		}
		text, rest, _ := strings.Cut(string(data), "\x00")
		data = []byte(rest)
		return text
	}
	var request strings.Builder
	request.WriteString(piece(d.methods) + " " + piece(d.paths) + " HTTP/1.1\r\nHost: localhost\r\n")
	for range 8 {
		if len(data) == 0 {
			break
		}
		request.WriteString(piece(d.fields) + ": " + piece(d.values) + "\r\n")
	}
	request.WriteString("\r\n")
	return []byte(request.String())
}

// seeds are requests that together get every answer.
func seeds(d *dictionary) [][]byte {
	var all [][]byte
	for path := range d.paths {
		all = append(all, []byte{0, byte(path)})
		for value := range d.values[:19] {
			all = append(all, []byte{0, byte(path), 0, byte(value)}, []byte{0, byte(path), 2, byte(value)})
		}
		all = append(all,
			[]byte{0, byte(path), 0, 0, 2, 5}, []byte{0, byte(path), 0, 0, 0, 0}, []byte{0, byte(path), 0, 0, 4, 19, 5, 19, 14, 30},
			[]byte{2, byte(path), 7, 20, 8, 22}, []byte{2, byte(path), 7, 20, 8, 22, 0, 0}, []byte{2, byte(path), 7, 20},
			[]byte{1, byte(path), 9, 23, 12, 0xc0, 'a', '<', 0, 19, 36}, []byte{0, byte(path), 10, 27, 9, 24}, []byte{3, byte(path), 9, 25},
		)
	}
	return slices.Concat(all, seedsByLocation(d), seedsOfOperations(d))
}

// seedsByLocation have tokens in cookies, also from another site.
func seedsByLocation(d *dictionary) [][]byte {
	var all [][]byte
	path := byte(slices.Index(d.paths, "/places"))
	for cookie := range byte(3) {
		all = append(all, []byte{0, path, 13, 46 + cookie}, []byte{1, path, 13, 46 + cookie, 25, 49, 7, 20})
	}
	return all
}

// seedsOfOperations say what they are to do at an MCP server: by what token,
// and in which revision, method and name.
func seedsOfOperations(d *dictionary) [][]byte {
	var all [][]byte
	path := byte(slices.Index(d.paths, "/mcp"))
	for _, token := range []byte{0, 1, 37} {
		for _, words := range [][]byte{{38, 40, 42}, {38, 40, 43}, {38, 41, 42}, {39, 40, 43}, {38, 40, 44}} {
			all = append(all, []byte{1, path, 0, token, 20, words[0], 21, words[1], 22, words[2]})
		}
		all = append(all,
			[]byte{0, path, 0, token}, []byte{0, path, 0, token, 24, 22}, []byte{1, path, 0, token, 20, 38, 21, 40, 22, 43, 14, 45},
			[]byte{0, byte(slices.Index(d.paths, "/two")), 0, token},
		)
	}
	return all
}

// FuzzGate gives whole requests to the running gate and holds its answers
// against the reference.
func FuzzGate(f *testing.F) {
	handler, d := serve(f), newDictionary(f)
	for _, seed := range seeds(d) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, variant := range variants(data) {
			if problem := d.try(handler, variant); problem != "" {
				t.Fatal(problem)
			}
		}
	})
}

// inEach is the number of requests for one input. The fuzzer's own work for each input
// takes longer than an answer of the gate.
const inEach = 64

// variants are an input and others near it, the same each time.
func variants(data []byte) [][]byte {
	sum := sha256.Sum256(data)
	random := rand.New(rand.NewChaCha8(sum))
	all := [][]byte{data}
	for len(all) < inEach {
		near := slices.Clone(all[random.IntN(len(all))])
		for range 1 + random.IntN(3) {
			at := random.IntN(len(near) + 1)
			switch piece := byte(random.IntN(0xc8)); {
			case at == len(near) || random.IntN(4) == 0:
				near = slices.Insert(near, at, piece, byte(random.IntN(0xc8)))
			default:
				near[at] = piece
			}
		}
		all = append(all, near)
	}
	return all
}

var requests = flag.Int("requests", 50_000, "how many requests TestVariants makes at least")

// TestVariants makes requests as the fuzzer does, without its watching which
// code they reach, and so some hundred times as many.
func TestVariants(t *testing.T) {
	handler, d := serve(t), newDictionary(t)
	count := 0
	for round := 0; count < *requests; round++ {
		for _, seed := range seeds(d) {
			for _, variant := range variants(binary.AppendUvarint(seed, uint64(round))) {
				count++
				if problem := d.try(handler, variant); problem != "" {
					t.Fatal(problem)
				}
			}
		}
	}
	t.Logf("%d requests", count)
}

// try makes a request of bytes and returns what is wrong with its answer.
func (d *dictionary) try(handler http.Handler, data []byte) string {
	raw := d.write(data)
	request, w := exchange(handler, raw)
	if request == nil {
		return ""
	}
	problem := d.check(request, w)
	if problem == "" {
		return ""
	}
	return fmt.Sprintf("%s\n%s\n%d %v\n%s", problem, raw, w.Code, w.Header(), w.Body)
}

// check returns what is wrong with an answer.
func (d *dictionary) check(r *http.Request, w *httptest.ResponseRecorder) string {
	want, body := decide(r, d.callers), w.Body.String()
	switch {
	case !guardedAsWritten(r) && w.Code == http.StatusOK:
		return ""
	case guardedAsWritten(r) && !slices.Contains(want.statuses, w.Code):
		return "the reference says otherwise"
	case w.Code == http.StatusOK && guardedAsWritten(r) && !slices.Contains(want.users, body):
		return "the upstream gets another identity"
	case w.Code == http.StatusUnauthorized && len(w.Header()["Www-Authenticate"]) == 0:
		return "a 401 without a challenge"
	}
	for name, values := range w.Header() {
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
				return "the field " + name + " has characters that it may not have"
			}
		}
	}
	for _, secret := range d.secrets {
		if strings.Contains(w.Body.String(), secret) && !strings.Contains(r.Header.Get("X-Trace-Id"), secret) {
			return "the body repeats a credential"
		}
	}
	return checkBody(r, w)
}

// guardedAsWritten reports whether the path is that of a gate, letter by letter.
func guardedAsWritten(r *http.Request) bool {
	_, guarded := rules[r.URL.Path]
	return guarded
}

func checkBody(r *http.Request, w *httptest.ResponseRecorder) string {
	if w.Code == http.StatusOK || w.Code == http.StatusNotFound || r.Method == http.MethodHead {
		return ""
	}
	if w.Code == http.StatusNoContent {
		if w.Body.Len() > 0 {
			return "a 204 has a body"
		}
		return ""
	}
	switch media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); media {
	case "application/problem+json", "application/json":
		type problem struct {
			Status int    `json:"status"`
			Trace  string `json:"trace_id"`
		}
		var body problem
		var rpc struct { // the answer to a JSON-RPC POST at a gate with mcp
			Version string `json:"jsonrpc"`
			Error   struct{ Data problem }
		}
		err := json.Unmarshal(w.Body.Bytes(), &body)
		if json.Unmarshal(w.Body.Bytes(), &rpc) == nil && rpc.Version == "2.0" {
			body = rpc.Error.Data
		}
		if err != nil || body.Status != w.Code {
			return "the body is not what its type says"
		}
		if body.Trace == "" || body.Trace != w.Header().Get("X-Trace-Id") {
			return "the trace ids differ"
		}
	case "text/html":
		if strings.Contains(w.Body.String(), "<script") {
			return "the page has a script"
		}
	case "text/plain":
	default:
		return "the body is of another type"
	}
	return ""
}

// TestSeeds checks that the seeds of the fuzzer get every kind of answer. Otherwise the
// comparison with the reference would prove little.
func TestSeeds(t *testing.T) {
	handler, d := serve(t), newDictionary(t)
	counts := map[int]int{}
	for _, seed := range seeds(d) {
		if _, w := exchange(handler, d.write(seed)); w != nil {
			counts[w.Code]++
		}
	}
	for _, status := range []int{200, 204, 400, 401, 403, 404} {
		if counts[status] < 5 {
			t.Errorf("%d answers of %d only", counts[status], status)
		}
	}
}
