package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
	"github.com/excorp/caddy-require-auth/internal/zerocopy"
)

// revisions are those whose bodies the gate can read. A request without a revision has
// one of the first.
var revisions = []string{"2025-03-26", "2025-06-18", "2025-11-25", validatedSince}

// maxInspect is the largest size that can be configured.
const maxInspect = 64 << 20

// Bounds of a body: its time to arrive, and the number of messages in a batch.
const (
	bodyTime = 30 * time.Second
	maxBatch = 100
)

// Errors of [Policy.Inspect] that have an answer of their own.
var (
	ErrBodyTooLarge = errors.New("the body is larger than `inspect` allows")
	ErrNotJSON      = errors.New("the body is not strict JSON")
	ErrMismatch     = errors.New("header fields and body disagree")
)

var (
	errMedia   = errors.New("the body must be application/json in UTF-8 without a content coding")
	errBatch   = fmt.Errorf("a batch needs the revision %s, and 1 to %d messages", revisions[0], maxBatch)
	errMessage = errors.New("invalid JSON-RPC message")
	errText    = errors.New("a method or name has control characters or is not in Unicode normal form C")
)

// RevisionError says that the gate cannot apply its rules to a revision.
type RevisionError struct {
	Requested string
	Supported []string
}

func (e *RevisionError) Error() string {
	return "unsupported MCP-Protocol-Version: the rules hold for " + strings.Join(e.Supported, ", ")
}

// Inspects reports whether the body of a request decides.
func (p *Policy) Inspects(r *http.Request) bool {
	return p != nil && p.BodyLimit > 0 && !slices.Contains(withoutOperation, r.Method)
}

// Inspect reads the body of a request. It returns the scopes for its operations, and
// whether the lists in its answer are filtered. The body can be read again. An error
// means that the request is malformed.
func (p *Policy) Inspect(r *http.Request, setReadDeadline func(time.Time) error) (scopes []string, lists bool, err error) {
	if err := checkCarrier(r); err != nil {
		return nil, false, err
	}
	revision, err := readRevision(r.Header)
	if err != nil {
		return nil, false, err
	}
	if revision == "" {
		revision = revisions[0]
	}
	if !slices.Contains(revisions, revision) {
		return nil, false, &RevisionError{Requested: revision, Supported: revisions}
	}
	fields, err := readFields(r.Header)
	if err != nil {
		return nil, false, err
	}
	if err := checkMedia(r.Header); err != nil {
		return nil, false, err
	}
	body, err := readBody(r, p.BodyLimit, bodyTime, setReadDeadline)
	if err != nil {
		return nil, false, err
	}
	operations, err := readOperations(body, revision, len(r.Header[revisionField]) > 0, fields)
	if err != nil {
		return nil, false, err
	}
	lists = p.List != "" && slices.ContainsFunc(operations, func(o operation) bool { return slices.Contains(listMethods, o.method) })
	return p.scopesFor(operations), lists, nil
}

// checkMedia refuses a body that a server could read in another way.
func checkMedia(h http.Header) error {
	for name := range h {
		for _, field := range []string{"Content-Type", "Content-Encoding"} {
			if name != field && fieldname.Equal(name, field) {
				return fmt.Errorf("invalid spelling of %s", field)
			}
		}
	}
	media, charset, err := mediaType(h)
	if err != nil || media != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return errMedia
	}
	for _, coding := range h["Content-Encoding"] {
		if !strings.EqualFold(coding, "identity") {
			return errMedia
		}
	}
	return nil
}

const mediaJSON = "application/json"

// mediaType returns the media type of a body and its charset, if it has one.
func mediaType(h http.Header) (media, charset string, err error) {
	field := strings.Join(h["Content-Type"], ", ")
	if field == mediaJSON { // as most clients write it
		return field, "", nil
	}
	media, parameters, err := mime.ParseMediaType(field)
	return media, parameters["charset"], err
}

// replay is a body that was read, and can be read again.
type replay struct {
	io.Reader
	io.Closer
}

// maxReserved is the largest capacity in bytes that a client gets by announcing its body.
const maxReserved = 64 << 10

// readBody reads a body up to a limit, within a time, and puts it back.
func readBody(r *http.Request, limit uint64, within time.Duration, setReadDeadline func(time.Time) error) (string, error) {
	if r.Body == nil {
		return "", nil
	}
	if r.ContentLength > int64(limit) {
		return "", ErrBodyTooLarge
	}
	if err := setReadDeadline(time.Now().Add(within)); err != nil {
		return "", fmt.Errorf("the time for the body cannot be bounded: %w", err)
	}
	// [bytes.Buffer.ReadFrom] grows a buffer with less than MinRead free bytes.
	buffer := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), maxReserved)+bytes.MinRead))
	size, err := buffer.ReadFrom(io.LimitReader(r.Body, int64(limit)+1))
	body := zerocopy.String(buffer.Bytes())
	var again io.Reader = strings.NewReader(body)
	if err != nil || uint64(size) > limit {
		again = io.MultiReader(again, r.Body)
	}
	r.Body = replay{again, r.Body}
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the body: %w", err)
	case uint64(size) > limit:
		return "", ErrBodyTooLarge
	}
	return body, setReadDeadline(time.Time{})
}

// messageShape are the parts of a message that are decoded: its envelope, and the name
// of its operation. The rest is only checked.
var messageShape = strictjson.Shape{
	"jsonrpc": nil, "id": nil, "method": nil,
	"params": {"name": nil, "uri": nil, "_meta": {versionMember: nil}},
}

// readOperations returns the operations that the messages of a body request.
func readOperations(body string, revision string, named bool, fields operation) ([]operation, error) {
	value, err := strictjson.Pruned(body, messageShape)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	batch, isBatch := value.([]any)
	if !isBatch {
		batch = []any{value}
	} else if revision != revisions[0] || len(batch) == 0 || len(batch) > maxBatch {
		return nil, errBatch
	}
	if isBatch && fields != (operation{}) {
		return nil, ErrMismatch
	}
	var all []operation
	for _, element := range batch {
		message, ok := element.(map[string]any)
		if !ok {
			return nil, errMessage
		}
		op, version, err := readMessage(message)
		if err != nil {
			return nil, err
		}
		if version != "" && (!named || version != revision) || !isBatch && !fields.agree(op, revision >= validatedSince) {
			return nil, ErrMismatch
		}
		if op.method != "" {
			all = append(all, op)
		}
	}
	return all, nil
}

// agree reports whether header fields repeat the operation of the body. Revisions with
// these fields need all of them. Otherwise only the existing ones must agree.
func (fields operation) agree(body operation, required bool) bool {
	if (required || fields.method != "") && fields.method != body.method {
		return false
	}
	_, hasName := nameMembers[body.method]
	return !hasName || !required && fields.name == "" || fields.name == body.name
}

// readMessage returns the operation of a message, and the revision in the body. A
// response has no operation.
func readMessage(message map[string]any) (op operation, version string, err error) {
	if err := checkNames(message, "jsonrpc", "id", "method", "params", "result", "error"); err != nil {
		return op, "", err
	}
	method, isRequest := message["method"]
	if !isValidEnvelope(message, isRequest) {
		return op, "", errMessage
	}
	if !isRequest {
		return op, "", nil
	}
	var ok bool
	if op.method, ok = method.(string); !ok || op.method == "" {
		return op, "", errMessage
	}
	params, err := objectIn(message, "params", "name", "uri", "_meta")
	if err != nil {
		return op, "", err
	}
	if member, named := nameMembers[op.method]; named {
		if op.name, ok = params[member].(string); !ok || op.name == "" {
			return op, "", errNoName
		}
	}
	if err := errors.Join(checkText(op.method), checkText(op.name)); err != nil {
		return op, "", err
	}
	meta, err := objectIn(params, "_meta", versionMember)
	if err != nil {
		return op, "", err
	}
	if named, present := meta[versionMember]; present {
		if version, ok = named.(string); !ok || version == "" {
			return op, "", errMessage
		}
	}
	return op, version, nil
}

// isValidEnvelope reports whether the other members are those of JSON-RPC 2.0. A
// request has no result, and its id is a string or a number.
func isValidEnvelope(message map[string]any, isRequest bool) bool {
	_, isResult := message["result"]
	_, isError := message["error"]
	switch id, hasID := message["id"]; id.(type) {
	case string, int64, float64:
	default:
		if hasID && (id != nil || isRequest) {
			return false
		}
	}
	return message["jsonrpc"] == "2.0" && isRequest != (isResult || isError)
}

// versionMember is the member of `_meta` that names the revision.
const versionMember = "io.modelcontextprotocol/protocolVersion"

// objectIn returns a member that is an object, or nil. The names are the members of it
// that matter.
func objectIn(holder map[string]any, member string, names ...string) (map[string]any, error) {
	value, present := holder[member]
	object, ok := value.(map[string]any)
	if present && !ok {
		return nil, errMessage
	}
	return object, checkNames(object, names...)
}

// checkNames refuses a member in another case, because some servers ignore case.
func checkNames(object map[string]any, names ...string) error {
	for member := range object {
		for _, name := range names {
			if member != name && strings.EqualFold(member, name) {
				return errMessage
			}
		}
	}
	return nil
}

// checkText refuses a text that a server could confuse with another one.
func checkText(text string) error {
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) || !norm.NFC.IsNormalString(text) {
		return errText
	}
	return nil
}

// Bounds of the body of a denied request. Only its id is read.
const (
	idLimit = 64 << 10
	idTime  = 2 * time.Second
)

// ResumesStream reports whether the answer to a request may repeat the events of an
// earlier one, whose lists are filtered.
func (p *Policy) ResumesStream(r *http.Request) bool {
	return p != nil && p.List != "" && r.Method == http.MethodGet
}

// IsRPC reports whether a request is a message of JSON-RPC by its fields.
func (p *Policy) IsRPC(r *http.Request) bool {
	if p == nil || r.Method != http.MethodPost {
		return false
	}
	media, _, err := mediaType(r.Header)
	return err == nil && media == mediaJSON
}

// ID returns the id of a denied request, or nil if it cannot be read.
func ID(r *http.Request, setReadDeadline func(time.Time) error) any {
	if r.Header.Get("Expect") != "" || r.Header.Get("Content-Encoding") != "" {
		return nil
	}
	body, err := readBody(r, idLimit, idTime, setReadDeadline)
	if err != nil {
		return nil
	}
	value, err := strictjson.Pruned(body, strictjson.Shape{"id": nil})
	if err != nil {
		return nil
	}
	message, _ := value.(map[string]any)
	switch id := message["id"].(type) {
	case string, int64:
		return id
	}
	return nil
}
