package denial

import (
	"net/http"
	"strconv"
	"strings"
)

// grpcStatus are the codes of gRPC by HTTP status. Other statuses are INTERNAL.
var grpcStatus = map[int]int{
	http.StatusBadRequest:                  3,  // INVALID_ARGUMENT
	http.StatusUnauthorized:                16, // UNAUTHENTICATED
	http.StatusForbidden:                   7,  // PERMISSION_DENIED
	http.StatusTooEarly:                    14, // UNAVAILABLE
	http.StatusTooManyRequests:             8,  // RESOURCE_EXHAUSTED
	http.StatusRequestHeaderFieldsTooLarge: 8,
	http.StatusServiceUnavailable:          14,
}

const grpcInternal = 13

// SetGRPC puts the status of gRPC beside that of HTTP, for a gRPC request: its
// client reads nothing else.
func (d Denial) SetGRPC(r *http.Request, h http.Header) {
	if !isGRPC(r.Header.Get("Content-Type")) {
		return
	}
	status, found := grpcStatus[d.Status()]
	if !found {
		status = grpcInternal
	}
	h.Set("Grpc-Status", strconv.Itoa(status))
	h.Set("Grpc-Message", d.Detail()) // of printable ASCII, which needs no escapes
}

// grpcType is the media type of an answer without a body. A gRPC client reads the status of
// gRPC only in an answer of this type that ends with its header fields.
const grpcType = "application/grpc"

// grpcTypeFor returns the media type of the answer to a request with a type of gRPC. Clients
// of gRPC-Web have their own.
func grpcTypeFor(contentType string) string {
	for _, suffix := range []string{"-web-text", "-web"} {
		if name := grpcType + suffix; len(contentType) >= len(name) && strings.EqualFold(contentType[:len(name)], name) {
			return name
		}
	}
	return grpcType
}

// isGRPC reports whether a media type is that of gRPC or gRPC-Web, such as
// application/grpc+proto.
func isGRPC(contentType string) bool {
	if len(contentType) < len(grpcType) || !strings.EqualFold(contentType[:len(grpcType)], grpcType) {
		return false
	}
	rest := contentType[len(grpcType):]
	return rest == "" || strings.ContainsRune("+-; ", rune(rest[0]))
}
