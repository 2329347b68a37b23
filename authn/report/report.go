// Package report describes the state of a scheme for operators.
package report

import "time"

// Reporter is implemented by schemes that have a state to report. The admin API and
// the metrics call it at any time, and from several goroutines.
type Reporter interface {
	// Report describes the current state. It contains no secret and no part of a
	// credential: a dashboard may show it to everyone.
	Report() Report
}

// Report is the state of a scheme.
type Report struct {
	// Issuer is the issuer of accepted tokens.
	Issuer string `json:"issuer,omitempty"`
	// Audiences are the accepted audiences of tokens. `*` means any.
	Audiences []string `json:"audiences,omitempty"`
	// Algorithms is the configured list. Without one the keys decide.
	Algorithms []string `json:"algorithms,omitempty"`
	// KeySources are the sources of keys, in the order of use.
	KeySources []KeySource `json:"key_sources,omitempty"`
	// CacheEntries is the approximate number of cached credentials. Schemes share one
	// cache of tokens, and each reports all of it.
	CacheEntries *int `json:"cache_entries,omitempty"`
	// Introspection is the introspection endpoint for opaque tokens.
	Introspection *Endpoint `json:"introspection,omitempty"`
	// Users is the number of users of a scheme with a list of users.
	Users *int `json:"users,omitempty"`
	// APIKeys is the number of keys of a scheme with a list of keys.
	APIKeys *int `json:"api_keys,omitempty"`
	// Roots is the number of trusted certificate authorities.
	Roots *int `json:"roots,omitempty"`
	// Cache identifies the cache among those of other schemes, for sums. Empty: it is not
	// shared. The JSON document does not contain it.
	Cache string `json:"-"`
}

// KeySource is one source of keys.
type KeySource struct {
	// Kind is `secret`, `file` or `remote`.
	Kind string `json:"kind"`
	// From is the file, the URL without user information and query, or the issuer
	// whose discovery document has the URL.
	From string `json:"from,omitempty"`
	// Keys are the public facts about the keys in use.
	Keys []PublicKey `json:"keys"`
	// Skipped lists the unused keys of the document, each with the reason.
	Skipped []string `json:"skipped,omitempty"`

	// FetchedAt is the time of the last successful fetch. It is absent before the first.
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	// Age is the time since then, in seconds.
	Age float64 `json:"age_seconds,omitempty"`
	// Result of the last fetch: `ok`, `error`, or `pending` before the first.
	Result string `json:"result,omitempty"`
	// Reason is the kind of the last failure: `unreachable`, `timeout`,
	// `certificate`, `status` or `invalid`. The log has the details.
	Reason string `json:"reason,omitempty"`
	// NextFetch is the latest time of the next fetch.
	NextFetch time.Time `json:"next_fetch,omitzero"`
	// Fetches counts the fetches since the source came into use.
	Fetches *Fetches `json:"fetches,omitempty"`
	// Set identifies the fetched keys, as Cache does the cache of a [Report].
	Set string `json:"-"`
}

// Fetches are the numbers of fetches by result.
type Fetches struct {
	OK    uint64 `json:"ok"`
	Error uint64 `json:"error"`
}

// PublicKey describes a key without secrets.
type PublicKey struct {
	// ID is the `kid`. It is absent if the key has none.
	ID string `json:"kid,omitempty"`
	// Type is the `kty`: `RSA`, `EC`, `OKP` or, for a secret, `oct`.
	Type string `json:"kty"`
	// Algorithms are the algorithms that the key verifies.
	Algorithms []string `json:"algorithms"`
}

// Endpoint is an introspection endpoint.
type Endpoint struct {
	// Host is its name and port. It is absent until discovery finds it.
	Host string `json:"host,omitempty"`
	// State is `ok`, or `paused` after failures.
	State string `json:"state"`
	// RetryAt is the end of the pause. It is absent without a pause.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// CacheEntries is the approximate number of cached answers.
	CacheEntries int `json:"cache_entries"`
	// Client identifies the client with the cache, as Cache does the cache of a [Report].
	Client string `json:"-"`
}
