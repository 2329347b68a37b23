package denial

import (
	"net/http"
	"strconv"
	"strings"
)

// grpcStatus are the codes of gRPC by HTTP status. The others are INTERNAL.
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
	status, known := grpcStatus[d.Status()]
	if !known {
		status = grpcInternal
	}
	h.Set("Grpc-Status", strconv.Itoa(status))
	h.Set("Grpc-Message", d.Detail()) // of printable ASCII, which needs no escapes
}

// isGRPC reports whether a media type is that of gRPC or gRPC-Web, such as
// application/grpc+proto.
func isGRPC(contentType string) bool {
	const prefix = "application/grpc"
	if len(contentType) < len(prefix) || !strings.EqualFold(contentType[:len(prefix)], prefix) {
		return false
	}
	rest := contentType[len(prefix):]
	return rest == "" || strings.ContainsRune("+-; ", rune(rest[0]))
}
