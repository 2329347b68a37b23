package authn

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// subprotocolField is the canonical name of Sec-WebSocket-Protocol in [http.Header].
const subprotocolField = "Sec-Websocket-Protocol"

// tokenSubprotocol is the subprotocol that a browser offers before the credential:
// new WebSocket(url, ["bearer", token]).
const tokenSubprotocol = "bearer"

// isWebSocket reports whether a request opens a WebSocket, in HTTP/1.1 (RFC 6455 §4.1),
// HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
func isWebSocket(r *http.Request) bool {
	switch r.ProtoMajor {
	case 1:
		return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
			httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade")
	case 2:
		return r.Method == http.MethodConnect && r.Header.Get(":protocol") == "websocket"
	default:
		return r.Method == http.MethodConnect && r.Proto == "websocket"
	}
}

// cutSubprotocols separates the credentials from the subprotocols that a client
// offers. The marker stays with the others: a browser closes a connection whose answer
// names none of them.
func cutSubprotocols(fields []string) (credentials, others []string) {
	next := false // whether the member before was the marker
	for _, field := range fields {
		eachMember(field, ',', func(member string) {
			member = strings.Trim(member, " \t")
			switch {
			case member == "":
			case next:
				credentials = append(credentials, member)
				next = false
			default:
				others = append(others, member)
				next = strings.EqualFold(member, tokenSubprotocol)
			}
		})
	}
	return credentials, others
}
