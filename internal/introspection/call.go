package introspection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// maxAnswer bounds a response, in bytes.
const maxAnswer = 1 << 20

// tokenError is a failure that the token caused: it says nothing about the
// endpoint.
type tokenError struct{ reason error }

func (e *tokenError) Error() string { return e.reason.Error() }
func (e *tokenError) Unwrap() error { return e.reason }

// call asks about a token, by POST and with the authentication of RFC 7662 §2.1.
func (c *Client) call(ctx context.Context, token string) (Answer, error) {
	address, err := c.endpoint.find(ctx, &c.config)
	if err != nil {
		return Answer{}, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}
	if err := c.authenticate(form, header, address, c.config.Now()); err != nil {
		return Answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, err
	}
	request.Header = header
	client := *c.config.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, hideBody(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, err
	case response.StatusCode == http.StatusBadRequest:
		return Answer{}, &tokenError{errors.New("the endpoint answered 400")}
	case response.StatusCode != http.StatusOK:
		return Answer{}, fmt.Errorf("the endpoint answered %d", response.StatusCode)
	case len(body) > maxAnswer:
		return Answer{}, errors.New("the answer is over 1 MiB")
	}
	return parse(body)
}

// hideBody takes the address out of a client error, as it may have a query.
func hideBody(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// parse reads a response (RFC 7662 §2.2). `active` must be a boolean: what is
// neither true nor false is no answer.
func parse(body []byte) (Answer, error) {
	members, err := strictjson.Object(body)
	if err != nil {
		return Answer{}, fmt.Errorf("the answer is no JSON object: %w", err)
	}
	active, ok := members["active"].(bool)
	if !ok {
		return Answer{}, errors.New("active is missing or not a boolean")
	}
	if !active {
		return Answer{}, nil
	}
	answer := Answer{Active: true, Claims: members}
	switch exp := members["exp"].(type) {
	case nil:
	case int64:
		answer.Expires = time.Unix(exp, 0)
	case float64:
		if math.Abs(exp) > math.MaxInt32*1024 {
			return Answer{}, errors.New("exp is out of range")
		}
		answer.Expires = time.Unix(int64(exp), 0)
	default:
		return Answer{}, errors.New("exp is not a number")
	}
	return answer, nil
}
