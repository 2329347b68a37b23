package introspection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// endpointMember names the endpoint in the metadata of the issuer (RFC 8414 §2).
const endpointMember = "introspection_endpoint"

// call calls the endpoint once (RFC 7662 §2.1). Errors are for the log: they contain
// neither the token nor a credential of the client.
func (c *Client) call(ctx context.Context, token string) (Answer, error) {
	address := c.config.Endpoint
	if address == "" {
		var err error
		if address, err = c.endpoints.Find(ctx, endpointMember); err != nil {
			return Answer{}, err
		}
	}
	request, err := c.request(ctx, address, token)
	if err != nil {
		return Answer{}, err
	}
	answer, err := idp.Exchange(c.client, request, maxAnswer)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Answer{}, fmt.Errorf("no answer within %s", c.config.timeout)
	case err != nil:
		return Answer{}, err
	case slices.Contains(refusals, answer.Status):
		return Answer{}, &refusal{status: answer.Status, code: errorCode(answer.Body)}
	case answer.Status != http.StatusOK:
		return Answer{}, idp.StatusError(answer.Status)
	}
	return parse(answer.Body)
}

// request returns a POST: a token in a URL would get into logs on the way (RFC 7662
// §4).
func (c *Client) request(ctx context.Context, address, token string) (*http.Request, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
		// A nil value is not sent. It lets net/http try again if an idle connection
		// turns out to be closed.
		"Idempotency-Key": {},
	}
	if err := c.authenticate(form, header, address, c.config.now()); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header = header
	return request, nil
}

// refusals are the answers that a token alone can cause. They must not pause the calls,
// or one client could block all others. A firewall answers 403 to what looks like an
// attack, and `../../etc/passwd` is well formed as a token (RFC 6750 §2.1).
var refusals = []int{
	http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
}

// refusal is the error of an endpoint that refuses to introspect this token.
type refusal struct {
	status int
	code   string // of the OAuth error; may be empty
}

func (r *refusal) Error() string {
	if r.code == "" {
		return fmt.Sprintf("refused with status %d", r.status)
	}
	return fmt.Sprintf("refused with status %d, %s", r.status, r.code)
}

// errorCodes are the known codes of RFC 6749 §5.2, RFC 6750 §3.1 and RFC 7009 §2.2.1.
// Others are not shown, because they could be anything.
var errorCodes = []string{
	"invalid_request", "invalid_client", "unauthorized_client", "invalid_token", "invalid_grant",
	"access_denied", "unsupported_token_type",
}

// errorCode returns the code of an OAuth error. An endpoint that does not know the client
// may answer 400, and the operator must learn that from the log.
func errorCode(body []byte) string {
	members, err := strictjson.Object(body)
	if err != nil {
		return ""
	}
	code, _ := members["error"].(string)
	if !slices.Contains(errorCodes, code) {
		return ""
	}
	return code
}
