package denial_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/denial"
)

func TestSetHeader(t *testing.T) {
	for name, tc := range map[string]struct {
		denial denial.Denial
		before http.Header
		want   http.Header
	}{
		"CACHE-1: what every denial has": {
			denial.Denial{Code: "access_denied", TraceID: "t"}, http.Header{},
			http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"}},
		},
		"R9110-10: one field line for each challenge": {
			denial.Denial{Code: "missing_credentials", TraceID: "t", Challenges: []string{`Bearer realm="api"`, `Basic realm="api"`}}, http.Header{},
			http.Header{
				"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"},
				"Www-Authenticate": {`Bearer realm="api"`, `Basic realm="api"`},
			},
		},
		"CACHE-1: what described a success is gone": {
			denial.Denial{Code: "access_denied", TraceID: "t"},
			http.Header{
				"Cache-Control": {"public, max-age=60", "immutable"}, "Etag": {`"1"`}, "Expires": {"soon"}, "Last-Modified": {"now"},
				"Set-Cookie": {"a=b", "c=d"}, "Content-Length": {"3"}, "Content-Encoding": {"gzip"}, "Accept-Ranges": {"bytes"}, "Age": {"1"},
				"Www-Authenticate": {"Negotiate"}, "X-Trace-Id": {"other", "another"},
			},
			http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"}},
		},
		"CORS-5 CORS-8: what CORS has set stays": {
			denial.Denial{Code: "access_denied", TraceID: "t"},
			http.Header{"Access-Control-Allow-Origin": {"https://web.example"}, "Vary": {"Origin"}, "X-Other": {"kept"}},
			http.Header{
				"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"},
				"Access-Control-Allow-Origin": {"https://web.example"}, "Vary": {"Origin"}, "X-Other": {"kept"},
			},
		},
		"AVAIL-1: when to ask again, rounded up": {
			denial.Denial{Code: "temporarily_unavailable", TraceID: "t", RetryAfter: 1500 * time.Millisecond}, http.Header{},
			http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"}, "Retry-After": {"2"}},
		},
		"AVAIL-1: a whole second stays one": {
			denial.Denial{Code: "temporarily_unavailable", TraceID: "t", RetryAfter: time.Second}, http.Header{},
			http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Trace-Id": {"t"}, "Retry-After": {"1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.denial.SetHeader(tc.before)
			if !reflect.DeepEqual(tc.before, tc.want) {
				t.Errorf("\n got %v\nwant %v", tc.before, tc.want)
			}
		})
	}
}
