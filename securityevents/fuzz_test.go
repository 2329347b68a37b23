package securityevents

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
	"github.com/excorp/caddy-require-auth/store"
)

const transmitterIssuer = "https://idp.example.com"

// FuzzSET reads any header and any claims as far as a good signature would let them.
func FuzzSET(f *testing.F) {
	const header = `{"typ":"secevent+jwt","alg":"ES256","kid":"1"}`
	for _, claims := range []string{
		`{"iss":"https://idp.example.com","aud":"us","jti":"1","iat":1215304991,"sub_id":{"format":"email","email":"a@b"},"events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{"event_timestamp":1215304991}}}`,
		`{"iss":"https://idp.example.com","aud":["us","you"],"jti":"1","iat":1215304991.5,"txn":8675309,"events":{"u":{"subject":{"subject_type":"iss-sub","iss":"i","sub":"s"}}}}`,
		`{"iss":"i","aud":{},"jti":1,"iat":"1","sub":"x","exp":1,"events":[]}`,
		`{"iss":"i","aud":"us","jti":"1","iat":0,"events":{"":{}}}`,
	} {
		f.Add(header, claims)
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		encode := base64.RawURLEncoding.EncodeToString
		s, err := parseSET(encode([]byte(header)) + "." + encode([]byte(claims)) + ".AA")
		if err != nil {
			wantRefusal(t, err)
			return
		}
		now := time.Unix(1_300_000_000, 0)
		if err := s.readClaims([]string{"us"}, now); err != nil {
			wantRefusal(t, err)
			return
		}
		_, withSubject := s.signed.Claims["sub"]
		if withSubject || s.id == "" || s.event == "" || s.payload == nil || s.issued.After(now.Add(skew)) || s.before().After(s.issued.Add(time.Second)) {
			t.Errorf("accepted: %s", claims)
		}
	})
}

// FuzzSubject reads any subject: every revocation names one thing, and is of an issuer
// that the transmitter may speak of.
func FuzzSubject(f *testing.F) {
	for _, subject := range []string{
		`{"format":"iss_sub","iss":"https://idp.example.com","sub":"145234573"}`,
		`{"format":"aliases","identifiers":[{"format":"email","email":"user@example.com"},{"format":"phone_number","phone_number":"+1"}]}`,
		`{"format":"complex","user":{"format":"account","uri":"acct:a@b"},"session":{"format":"opaque","id":"s"},"tenant":{"format":"opaque","id":"t"}}`,
		`{"user":{"format":"did","url":"did:example:1"}}`, `{"format":"jwt_id","iss":"other","jti":"1"}`, `{"subject_type":"id-token-claims"}`,
	} {
		f.Add(subject)
	}
	all := subjects{transmitter: transmitterIssuer, issuers: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, subject string) {
		value, err := strictjson.Value([]byte(subject))
		if err != nil {
			return
		}
		named, err := all.read(value)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		if len(named) > 4*maxAliases {
			t.Errorf("%d revocations of %s", len(named), subject)
		}
		for _, revocation := range named {
			revocation.Until = time.Now().Add(time.Hour)
			if _, err := revocation.Entry(time.Now()); err != nil || !slices.Contains(all.issuers, revocation.Issuer) || revocation.Digest != (store.Key{}) {
				t.Errorf("%+v of %s: %v", revocation, subject, err)
			}
		}
	})
}

// wantRefusal fails the test unless an error has a code and repeats nothing.
func wantRefusal(t *testing.T, err error) {
	t.Helper()
	denial, ok := errors.AsType[refusal](err)
	if !ok || denial.code == "" || strings.ContainsAny(denial.Error(), "\"\\\n") {
		t.Errorf("%v", err)
	}
}
