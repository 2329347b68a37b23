// Package introspection asks an authorization server about tokens that only it
// can read (RFC 7662), and remembers the answers for a short time.
//
// Only a clear answer counts. After an unreachable endpoint or an invalid answer the
// token is undecided, never invalid. A client discards an invalid token and logs its
// user out.
//
// Strangers choose the tokens. So calls are bounded and shared. Answers about invalid
// tokens never evict those about valid ones. A failed call counts against its token.
// Calls pause only for clients whose calls fail, after failures of several clients
// without a success between.
package introspection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

// maxInFlight bounds the calls that strangers can cause at once. One client alone can
// have half of them, see [fairness.FairQuota].
const maxInFlight = 128

// Client validates tokens at one endpoint. It is safe for concurrent use.
type Client struct {
	config       Config
	client       *http.Client // follows no redirects
	authenticate authenticator
	endpoints    *idp.Endpoints // used without a configured endpoint
	memory       *memory
	flights      singleflight.Group
	quota        *fairness.FairQuota
	circuit      circuit
	failures     idp.DedupLog
	refusals     idp.DedupLog
}

// New prepares a client. An error means that the configuration is invalid. The first
// call is for the first token, because the provider may be down when Caddy starts.
func New(config Config) (*Client, error) {
	config, authenticate, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{
		config:       config,
		client:       withoutRedirects(config.Client),
		authenticate: authenticate,
		endpoints: &idp.Endpoints{
			Provider: idp.Provider{Issuer: config.Issuer, Client: config.Client, HTTPHosts: config.HTTPHosts},
			Timeout:  config.timeout / 2, // the rest is for the call
			Now:      config.now,
		},
		memory:  newMemory(&config),
		quota:   fairness.NewFairQuota(maxInFlight),
		circuit: newCircuit(),
	}, nil
}

// Introspect returns the answer about a token. An error is always a
// [*idp.UnavailableError], so the gate answers 503 and never 401.
//
// Requests with the same token wait for one call. It has a time limit of its own,
// because it belongs to all of them. A request stops waiting when its context ends.
//
// The function client returns the network of the client, empty if it is unknown. It is
// called only before a call of the endpoint. A client with many calls makes room for
// others.
func (c *Client) Introspect(ctx context.Context, token string, client func() string) (Answer, error) {
	if !isToken(token) {
		return Answer{FromCache: true}, nil
	}
	key := c.config.digest(token)
	if answer, found, err := c.memory.recall(key, c.config.now()); found {
		return answer, err
	}
	caller := client()
	flight := c.flights.DoChan(string(key[:]), func() (any, error) {
		return c.callAndRemember(context.WithoutCancel(ctx), key, token, caller)
	})
	select {
	case <-ctx.Done():
		return Answer{}, unavailable(context.Cause(ctx), 0)
	case result := <-flight:
		answer, _ := result.Val.(Answer)
		return answer, result.Err
	}
}

// Close closes the idle connections. Calls in flight continue to their end.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// State is the state of a client for operators.
type State struct {
	// Endpoint is the URL of the endpoint; empty until it is found.
	Endpoint string
	// PausedUntil is the end of the pause. It is zero without a pause.
	PausedUntil time.Time
	// Remembered is the approximate number of cached answers.
	Remembered int
}

// State returns the current state.
func (c *Client) State() State {
	return State{
		Endpoint:    c.lastAddress(),
		Remembered:  c.memory.good.EstimatedSize() + c.memory.bad.EstimatedSize(),
		PausedUntil: c.circuit.pausedUntil(c.config.now()),
	}
}

// lastAddress is the URL of the last call; empty until it is found.
func (c *Client) lastAddress() string {
	return cmp.Or(c.config.Endpoint, c.endpoints.Last(endpointMember))
}

// name is what logs call the endpoint.
func (c *Client) name() string { return idp.Loggable(cmp.Or(c.lastAddress(), c.config.Issuer)) }

// isToken reports whether a text can be an access token at all: visible ASCII
// and spaces (RFC 6749 Appendix A.12). Other texts need no call: a NUL byte could make the
// database of an endpoint fail.
func isToken(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return text != ""
}

var errBusy = errors.New("too many calls at once")

// callAndRemember makes one call, if calls are possible now, and remembers the result.
func (c *Client) callAndRemember(ctx context.Context, key digest, token, client string) (Answer, error) {
	began := c.config.now()
	// Another flight may have ended since the request looked.
	if answer, found, err := c.memory.recall(key, began); found {
		return answer, err
	}
	attempt, wait, err := c.circuit.enter(began, client)
	if err != nil {
		return Answer{}, unavailable(err, wait)
	}
	defer c.circuit.leave(attempt)
	if !c.quota.TryAcquire(client) {
		return Answer{}, unavailable(errBusy, 0)
	}
	defer c.quota.Release(client)
	ctx, cancel := context.WithTimeout(ctx, c.config.timeout)
	defer cancel()
	answer, err := c.call(ctx, token)
	if asError, ok := errors.AsType[*refusal](err); ok {
		c.memory.keepFailure(key, asError, c.config.now().Add(badFor))
		return Answer{}, c.asError(asError)
	}
	if err != nil {
		c.memory.keepFailure(key, err, c.config.now().Add(failedFor))
		return Answer{}, c.recordFailure(attempt, err)
	}
	c.circuit.succeed(c.config.now())
	if c.failures.Recovered() {
		c.config.Logger().Info("introspection works again", zap.String("endpoint", c.name()))
	}
	c.memory.keep(key, answer, began)
	return answer, nil
}

// recordFailure counts a failure against the token and the endpoint.
func (c *Client) recordFailure(attempt pass, reason error) error {
	now := c.config.now()
	wait := max(c.circuit.fail(now, attempt, reason), failedFor)
	c.endpoints.Doubt()
	if c.failures.Failed(now, reason.Error()) {
		c.config.Logger().Warn("introspection failed",
			zap.String("endpoint", c.name()), zap.String("reason", reason.Error()))
	}
	return unavailable(reason, wait)
}

// asError does not affect the calls for other tokens.
func (c *Client) asError(reason *refusal) error {
	if c.refusals.Failed(c.config.now(), reason.Error()) {
		c.config.Logger().Warn("introspection of a token was refused",
			zap.String("endpoint", c.name()), zap.String("reason", reason.Error()))
	}
	return unavailable(reason, badFor)
}

func unavailable(reason error, wait time.Duration) error {
	return idp.Unavailable(fmt.Errorf("introspection: %w", reason), wait)
}
