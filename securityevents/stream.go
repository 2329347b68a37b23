package securityevents

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
	"github.com/excorp/caddy-require-auth/store"
)

// The delivery methods (Shared Signals Framework 1.0). Transmitters before the
// framework have the second of each.
var (
	pushMethods = []string{"urn:ietf:rfc:8935", "https://schemas.openid.net/secevent/risc/delivery-method/push"}
	pollMethods = []string{"urn:ietf:rfc:8936", "https://schemas.openid.net/secevent/risc/delivery-method/poll"}
)

const (
	// maxBackoff bounds the time until the next attempt after failures, see [idp.Backoff].
	maxBackoff = time.Minute
	// verifyFor is how long a requested verification event may take.
	verifyFor = 10 * time.Minute
)

// manages reports whether the receiver looks after its stream.
func (t *Transmitter) manages() bool { return t.Poll != 0 || t.Push != "" }

// follow looks after the stream of a transmitter until ctx ends.
func (t *Transmitter) follow(ctx context.Context, logger *zap.Logger) {
	var log idp.DedupLog
	failures := 0
	onSuccess := func() {
		failures = 0
		if log.Recovered() {
			logger.Info("the stream of security events works again", zap.String("transmitter", t.Issuer))
		}
	}
	for ctx.Err() == nil {
		err := t.serve(ctx, logger, onSuccess)
		if err == nil || ctx.Err() != nil {
			return
		}
		failures++
		if log.Failed(t.now(), err.Error()) {
			logger.Warn("the stream of security events does not work", zap.String("transmitter", t.Issuer), zap.String("reason", err.Error()))
		}
		sleep(ctx, idp.Backoff(failures, maxBackoff))
	}
}

func sleep(ctx context.Context, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// serve opens the stream. It polls until that fails, or returns nil if events are pushed.
func (t *Transmitter) serve(ctx context.Context, logger *zap.Logger, onSuccess func()) error {
	api, err := t.connect(ctx)
	if err != nil {
		return err
	}
	opened, err := api.open(ctx)
	if err != nil {
		return err
	}
	api.inspect(ctx, opened, logger)
	if t.Poll == 0 {
		onSuccess()
		return nil
	}
	return t.poll(ctx, api, opened.endpoint, logger, onSuccess)
}

// management is the API of a transmitter (Shared Signals Framework 1.0 §8.1).
type management struct {
	*Transmitter
	metadata *idp.Metadata
	tokens   oauth2.TokenSource
}

func (t *Transmitter) connect(ctx context.Context) (*management, error) {
	metadata, err := idp.DiscoverTransmitter(ctx, t.client, t.Issuer, t.AllowHTTP...)
	if err != nil {
		return nil, err
	}
	if t.BearerToken != "" {
		return &management{t, metadata, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: t.BearerToken})}, nil
	}
	config := clientcredentials.Config{
		ClientID: t.ClientID, ClientSecret: t.ClientSecret, TokenURL: t.TokenEndpoint, Scopes: t.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
	}
	if config.TokenURL == "" {
		server, err := idp.Discover(ctx, t.client, t.Issuer, t.AllowHTTP...)
		if err != nil {
			return nil, err
		}
		if config.TokenURL, err = server.Endpoint("token_endpoint"); err != nil {
			return nil, err
		}
	}
	return &management{t, metadata, config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, t.client))}, nil
}

// call sends JSON to an endpoint and returns the JSON of its answer, nil for none. Errors
// are fit for the log: they hold nothing that authenticates the receiver.
func (m *management) call(ctx context.Context, method, address string, body any) (any, error) {
	var content io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, idp.Plain(err)
	}
	token, err := m.tokens.Token()
	if failed, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, fmt.Errorf("the token endpoint %w", idp.StatusError(failed.Response.StatusCode))
	}
	if err != nil {
		return nil, fmt.Errorf("the token endpoint: %w", idp.Plain(err))
	}
	token.SetAuthHeader(request)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Content-Language", "en") // of the descriptions in setErrs, RFC 8936 §2.6
	}
	answer, err := idp.Exchange(m.client, request, idp.MaxDocument)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", idp.Loggable(address), err)
	case answer.Status < 200 || answer.Status > 299:
		return nil, fmt.Errorf("%s %w", idp.Loggable(address), idp.StatusError(answer.Status))
	case len(bytes.TrimSpace(answer.Body)) == 0:
		return nil, nil
	}
	value, err := strictjson.Value(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: invalid JSON: %w", idp.Loggable(address), err)
	}
	return value, nil
}

// stream is the configuration of a stream, as far as it matters.
type stream struct {
	id       string
	endpoint string // to poll
}

// open finds the stream of this receiver, or creates it.
func (m *management) open(ctx context.Context) (stream, error) {
	endpoint, err := m.metadata.Endpoint("configuration_endpoint")
	if err != nil {
		return stream{}, err
	}
	answer, err := m.call(ctx, http.MethodGet, endpoint, nil)
	if err != nil && !errors.Is(err, idp.StatusError(http.StatusNotFound)) {
		return stream{}, err
	}
	configurations, isList := answer.([]any)
	if !isList {
		configurations = []any{answer}
	}
	for _, value := range configurations {
		if configuration, ok := value.(map[string]any); ok && m.fits(configuration) {
			return m.read(configuration)
		}
	}
	created, err := m.call(ctx, http.MethodPost, endpoint, m.settings())
	if err != nil {
		return stream{}, fmt.Errorf("creating a stream: %w", err)
	}
	configuration, ok := created.(map[string]any)
	if !ok || !m.fits(configuration) {
		return stream{}, errors.New("the created stream has another delivery than the requested one")
	}
	return m.read(configuration)
}

// settings is the stream that the receiver asks for.
func (t *Transmitter) settings() map[string]any {
	delivery := map[string]any{"method": pollMethods[0]}
	if t.Push != "" {
		delivery = map[string]any{"method": pushMethods[0], "endpoint_url": t.Push}
		if t.Authorization != "" {
			delivery["authorization_header"] = t.Authorization
		}
	}
	return map[string]any{"events_requested": slices.Sorted(maps.Keys(revoking)), "delivery": delivery}
}

// fits reports whether a stream delivers to this receiver.
func (t *Transmitter) fits(configuration map[string]any) bool {
	delivery, _ := configuration["delivery"].(map[string]any)
	method, _ := delivery["method"].(string)
	if t.Push != "" {
		return slices.Contains(pushMethods, method) && delivery["endpoint_url"] == t.Push
	}
	return slices.Contains(pollMethods, method)
}

// read reads the configuration of a stream that fits.
func (m *management) read(configuration map[string]any) (opened stream, err error) {
	opened.id, _ = configuration["stream_id"].(string)
	if !names(configuration["aud"], m.Audiences) {
		return opened, fmt.Errorf("the audience of the stream is %.128q: write it in audience", fmt.Sprint(configuration["aud"]))
	}
	if m.Push != "" {
		return opened, nil
	}
	delivery, _ := configuration["delivery"].(map[string]any)
	if opened.endpoint, err = m.metadata.CheckEndpoint("endpoint_url of the stream", delivery["endpoint_url"]); err != nil {
		return opened, err
	}
	if configuration, err := m.metadata.Endpoint("configuration_endpoint"); err != nil || !sameHost(opened.endpoint, m.Issuer, configuration) {
		return opened, errors.New("endpoint_url of the stream is at another host than the transmitter, which must not get the credentials of the receiver")
	}
	return opened, nil
}

// sameHost reports whether a URL has the host and port of one of others.
func sameHost(address string, others ...string) bool {
	parsed, err := url.Parse(address)
	return err == nil && slices.ContainsFunc(others, func(other string) bool {
		another, err := url.Parse(other)
		return err == nil && strings.EqualFold(another.Host, parsed.Host)
	})
}

// inspect logs a stream that delivers nothing, and has the transmitter send a
// verification event, once for each configuration. The stream is used without, too.
func (m *management) inspect(ctx context.Context, opened stream, logger *zap.Logger) {
	logger = logger.With(zap.String("transmitter", m.Issuer), zap.String("stream", opened.id[:min(len(opened.id), maxLogged)]))
	if endpoint, err := m.metadata.Endpoint("status_endpoint"); err == nil {
		answer, err := m.call(ctx, http.MethodGet, endpoint+"?stream_id="+url.QueryEscape(opened.id), nil)
		members, _ := answer.(map[string]any)
		if status, _ := members["status"].(string); err == nil && status != "" && status != "enabled" {
			logger.Warn("the stream of security events is not enabled", zap.String("status", status[:min(len(status), maxLogged)]))
		}
	}
	endpoint, err := m.metadata.Endpoint("verification_endpoint")
	if err != nil || m.verificationRequested {
		return
	}
	m.verificationRequested = true
	state := rand.Text()
	if _, err = m.sink.Store.First(ctx, stateOwner, m.stateKey(state), m.now().Add(verifyFor)); err == nil {
		_, err = m.call(ctx, http.MethodPost, endpoint, map[string]string{"stream_id": opened.id, "state": state})
	}
	if err != nil {
		logger.Info("no verification of the stream was requested", zap.Error(err))
	}
}

// stateOwner owns the states of requested verification events in the store.
var stateOwner = store.KeyOf("security events", "state")

func (t *Transmitter) stateKey(state string) store.Key {
	return store.KeyOf("security event state", t.Issuer, state)
}

// verifyState checks the state of a verification event that this receiver, or another
// instance, has requested. One without a state comes from the transmitter itself.
func (t *Transmitter) verifyState(ctx context.Context, s *set) (result string, reason error) {
	value, present := s.payload["state"]
	if !present || value == nil || !t.manages() {
		return accepted, nil
	}
	state, ok := value.(string)
	if !ok {
		return refused, refuse(invalidRequest, "state of the event is not a string")
	}
	fresh, err := t.sink.Store.First(ctx, stateOwner, t.stateKey(state), t.now().Add(verifyFor))
	switch {
	case err != nil:
		return unavailable, err
	case fresh:
		return refused, refuse(invalidState, "state is not one that this receiver has sent")
	}
	return accepted, nil
}
