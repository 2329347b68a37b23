package authn

import "time"

// Reporter is implemented by schemes that have something to tell the operator
// about their state. It is asked by the admin API and for metrics, at any time
// and by several goroutines.
type Reporter interface {
	// Report describes the present state. It holds no secret, and no part of a
	// credential: a dashboard may show it to anybody.
	Report() Report
}

// Report is what an operator may see of a scheme.
type Report struct {
	// Issuer is the one whose tokens are accepted.
	Issuer string `json:"issuer,omitempty"`
	// Audiences are those that tokens may be for; `*` stands for any.
	Audiences []string `json:"audiences,omitempty"`
	// Algorithms is the configured list; without one the keys decide.
	Algorithms []string `json:"algorithms,omitempty"`
	// KeySources are where keys come from, in the order in which they are asked.
	KeySources []KeySource `json:"key_sources,omitempty"`
	// CacheEntries is how many verified credentials are remembered, about.
	// Schemes share one memory of tokens, and each reports all of it.
	CacheEntries *int `json:"cache_entries,omitempty"`
	// Introspection is the endpoint that is asked about opaque tokens.
	Introspection *Endpoint `json:"introspection,omitempty"`
	// Users is the number of users of a scheme that keeps a list of them.
	Users *int `json:"users,omitempty"`
	// APIKeys is the number of keys of a scheme that keeps a list of them.
	APIKeys *int `json:"api_keys,omitempty"`
	// Roots is the number of authorities that a scheme trusts.
	Roots *int `json:"roots,omitempty"`
}

// KeySource is one place that keys come from.
type KeySource struct {
	// Kind is `secret`, `file` or `remote`.
	Kind string `json:"kind"`
	// From is the file, or the URL without user information and query, or the
	// issuer where the URL is found by discovery.
	From string `json:"from,omitempty"`
	// Keys are the public facts about the keys in use.
	Keys []PublicKey `json:"keys"`
	// Skipped says which keys of the document are not used, and why.
	Skipped []string `json:"skipped,omitempty"`

	// FetchedAt is when the keys in use were fetched; absent if never.
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	// Age is how long ago that was, in seconds.
	Age float64 `json:"age_seconds,omitempty"`
	// Result of the last fetch: `ok`, `error`, or `pending` before the first.
	Result string `json:"result,omitempty"`
	// Reason is the kind of the last failure: `unreachable`, `timeout`,
	// `certificate`, `status` or `invalid`. The log has the details.
	Reason string `json:"reason,omitempty"`
	// NextFetch is when the keys are fetched again at the latest.
	NextFetch time.Time `json:"next_fetch,omitzero"`
	// Fetches counts them by result, since the source came into use.
	Fetches *Fetches `json:"fetches,omitempty"`
}

// Fetches are how many there were.
type Fetches struct {
	OK    uint64 `json:"ok"`
	Error uint64 `json:"error"`
}

// PublicKey is what anybody may know about a key.
type PublicKey struct {
	// ID is the `kid`; absent where the key has none.
	ID string `json:"kid,omitempty"`
	// Type is the `kty`: `RSA`, `EC`, `OKP` or, for a secret, `oct`.
	Type string `json:"kty"`
	// Algorithms are those that the key may verify.
	Algorithms []string `json:"algorithms"`
}

// Endpoint is an endpoint that is asked about credentials.
type Endpoint struct {
	// Host is its name and port; absent until discovery has found it.
	Host string `json:"host,omitempty"`
	// State is `ok`, or `paused` after failures.
	State string `json:"state"`
	// RetryAt is when it is asked again; absent if it is not paused.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// CacheEntries is how many of its answers are remembered, about.
	CacheEntries int `json:"cache_entries"`
}
