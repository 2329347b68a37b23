package dpop

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

func TestVerifyRefusesClaims(t *testing.T) {
	key := edKey(t)
	null := json.RawMessage("null")
	for name, test := range map[string]struct {
		claims members
		reason string
	}{
		"R9449-3: no jti":                 {members{"jti": nil}, "jti is missing"},
		"R9449-3: empty jti":              {members{"jti": ""}, "jti is missing"},
		"R9449-3: jti is a number":        {members{"jti": 1}, "jti is missing or not"},
		"R9449-11: jti of 257 bytes":      {members{"jti": strings.Repeat("j", 257)}, "jti is longer"},
		"R9449-3: no htm":                 {members{"htm": nil}, "htm is missing"},
		"R9449-3: htm is a list":          {members{"htm": []string{"GET"}}, "htm is missing or not"},
		"R9449-5: htm in lower case":      {members{"htm": "get"}, "htm is not the method"},
		"R9449-5: htm HEAD":               {members{"htm": "HEAD"}, "htm is not the method"},
		"R9449-3: no htu":                 {members{"htu": nil}, "htu is missing"},
		"R9449-3: htu is null":            {members{"htu": null}, "htu is missing"},
		"R9449-6: htu is relative":        {members{"htu": "/a"}, "htu: not an absolute"},
		"R9449-6: htu of another host":    {members{"htu": "https://api.example.org/a"}, "htu is not the target"},
		"R9449-6: htu of another scheme":  {members{"htu": "http://api.example.com/a"}, "htu is not the target"},
		"R9449-6: htu of another port":    {members{"htu": "https://api.example.com:8443/a"}, "htu is not the target"},
		"R9449-6: path in other case":     {members{"htu": "https://api.example.com/A"}, "htu is not the target"},
		"R9449-6: path with a slash more": {members{"htu": "https://api.example.com/a/"}, "htu is not the target"},
		"R9449-3: no iat":                 {members{"iat": nil}, "iat is missing"},
		"R9449-3: iat is a string":        {members{"iat": "1000000000"}, "iat is not a number"},
		"R9449-3: iat is null":            {members{"iat": null}, "iat is missing"},
		"R9449-7: iat 61 s ago":           {members{"iat": start.Unix() - 61}, "too long ago"},
		"R9449-7: iat 11 s ahead":         {members{"iat": start.Unix() + 11}, "in the future"},
		"R9449-7: iat in milliseconds":    {members{"iat": start.UnixMilli()}, "out of range"},
		"R9449-7: iat before 1970":        {members{"iat": -1}, "out of range"},
		"R9449-7: iat near the limit":     {members{"iat": int64(1<<63 - 1)}, "out of range"},
		"R9449-7: iat beyond the limit":   {members{"iat": 1e300}, "out of range"},
		"R9449-3: no ath":                 {members{"ath": nil}, "ath is missing"},
		"R9449-3: ath is a number":        {members{"ath": 1}, "ath is missing or not"},
		"R9449-8: ath of another token":   {members{"ath": dpoptest.Hash("another")}, "ath is not the hash"},
		"R9449-8: ath with padding":       {members{"ath": dpoptest.Hash(token) + "="}, "ath is not the hash"},
		"R9449-8: the token itself":       {members{"ath": token}, "ath is not the hash"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, request(proof(t, key, test.claims, nil)), test.reason) })
	}
}

func TestVerifyRefusesRequests(t *testing.T) {
	field := proof(t, edKey(t), nil, nil)
	for name, test := range map[string]struct {
		request Request
		reason  string
	}{
		"R9449-5: HEAD is not GET":    {Request{[]string{field}, "HEAD", target, token}, "htm is not"},
		"R9449-6: another target":     {Request{[]string{field}, "GET", target + "b", token}, "htu is not"},
		"R9449-6: target is relative": {Request{[]string{field}, "GET", "/a", token}, "target of the request: not"},
		"R9449-8: another token":      {Request{[]string{field}, "GET", target, token + "a"}, "ath is not"},
		"R9449-8: no token":           {Request{[]string{field}, "GET", target, ""}, "ath is not"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, test.request, test.reason) })
	}
}

func TestVerifyNonce(t *testing.T) {
	now := start
	nonces := NewNonces(func() time.Time { return now })
	verifier := &Verifier{Nonces: nonces, Now: at(start)}
	key := edKey(t)
	for name, test := range map[string]struct {
		nonce  any
		later  time.Duration
		reason error // nil: accepted
	}{
		"R9449-12: current":                 {nonces.Current(), 0, nil},
		"R9449-13: the one before":          {nonces.Current(), nonceStep, nil},
		"R9449-12: missing":                 {nil, 0, errNonceMissing},
		"R9449-12: stale":                   {nonces.Current(), 2 * nonceStep, errNonceStale},
		"R9449-12: from the future":         {nonces.Current(), -nonceStep, errNonceStale},
		"R9449-12: empty":                   {"", 0, errNonceStale},
		"R9449-12: of another server":       {NewNonces(at(start)).Current(), 0, errNonceStale},
		"R9449-12: current with text after": {nonces.Current() + "A", 0, errNonceStale},
	} {
		t.Run(name, func(t *testing.T) {
			now = start.Add(test.later)
			got, err := verifier.Verify(request(proof(t, key, members{"nonce": test.nonce}, nil)))
			if err == nil && got.Stale != (test.later > 0) {
				t.Errorf("stale: %t", got.Stale)
			}
			var nonceError *NonceError
			if test.reason == nil && err != nil || test.reason != nil && !(errors.As(err, &nonceError) && errors.Is(err, test.reason)) {
				t.Errorf("got %v, want %v", err, test.reason)
			}
		})
	}
	now = start
	t.Run("R9449-12: a number", func(t *testing.T) {
		_, err := verifier.Verify(request(proof(t, key, members{"nonce": 1}, nil)))
		mustBeInvalid(t, err, "nonce is not a string")
	})
	t.Run("R9449-12: an unsound proof is not asked to come again", func(t *testing.T) {
		_, err := verifier.Verify(request(proof(t, key, nil, members{"jwk": dpoptest.JWK(t, edKey(t).Public())})))
		mustBeInvalid(t, err, "signature does not fit")
	})
}
