package securityevents

// The types of events.
const (
	verification  = "verification"
	streamUpdated = "stream-updated"
	// otherEvent is the label of a type that this receiver does nothing about.
	otherEvent = "other"
	// noEvent is the label of what is not a verified event.
	noEvent = "none"
	// globalRevocation is the label of a request of Global Token Revocation.
	globalRevocation = "global-token-revocation"
)

// names by URI: those that revoke, and those of the stream.
var (
	revoking = withPrefixes(map[string][]string{
		"https://schemas.openid.net/secevent/caep/event-type/": {"session-revoked", "token-claims-change", "credential-change"},
		"https://schemas.openid.net/secevent/risc/event-type/": {
			"account-credential-change-required", "account-disabled", "account-purged", "credential-compromise", "sessions-revoked",
		},
	})
	ofStream = withPrefixes(map[string][]string{
		"https://schemas.openid.net/secevent/ssf/event-type/":  {verification, streamUpdated},
		"https://schemas.openid.net/secevent/sse/event-type/":  {verification, streamUpdated},
		"https://schemas.openid.net/secevent/risc/event-type/": {verification},
	})
)

func withPrefixes(byPrefix map[string][]string) map[string]string {
	all := make(map[string]string)
	for prefix, names := range byPrefix {
		for _, name := range names {
			all[prefix+name] = name
		}
	}
	return all
}

// labelOf is the name of an event in the metrics.
func labelOf(uri string) string {
	if name := revoking[uri]; name != "" {
		return name
	}
	if name := ofStream[uri]; name != "" {
		return name
	}
	return otherEvent
}
