//go:build browser

package browser

import (
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func init() { caddy.RegisterModule(new(oracle)) }

// oracle is a scheme that refuses with the code in the field X-Code.
type oracle struct{}

func (*oracle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: authn.Namespace + ".oracle", New: func() caddy.Module { return new(oracle) }}
}

func (*oracle) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*oracle) Find(r *authn.Request) (authn.Credential, error) {
	return authn.Credential{Value: r.Header.Get("X-Code"), Location: authn.Location{Kind: authn.InHeader, Name: "X-Code"}}, nil
}

func (*oracle) Verify(_ context.Context, _ *authn.Request, c authn.Credential) authn.Outcome {
	if c.Value == string(authn.CodeInsufficientScope) {
		return authn.Accept(&authn.Identity{ID: "alice"}, authn.SourceLocal)
	}
	return authn.Outcome{Code: authn.Code(c.Value), Reason: errors.New("it was asked for"), RetryAfter: 30 * time.Second}
}

func (*oracle) Challenges(authn.ChallengeParams) []authn.Challenge {
	return []authn.Challenge{{Scheme: "Oracle", Realm: authn.DefaultRealm}}
}

var _ caddyfile.Unmarshaler = (*oracle)(nil)

// view is a window in which a page is shown.
type view struct {
	URL     string            `json:"url"`
	Header  map[string]string `json:"header"`
	Locale  string            `json:"locale"`
	Scheme  string            `json:"scheme"`
	Width   int               `json:"width"`
	Height  int               `json:"height"`
	Picture string            `json:"picture"`

	name, code, heading string
	status              int
}

// sight is what they see.
type sight struct {
	Status                         int
	Title, Language, Heading, Text string
	TooWide                        bool
	Buttons                        []struct {
		Href   string
		Height float64
	}
	Requests, Complaints, Violations []string
}

// Sizes of a window on a desk and of a small phone.
const (
	deskWidth, deskHeight   = 800, 560
	phoneWidth, phoneHeight = 320, 600
)

// views are the pages as they stand in docs/pages.md, and a few more.
func views() []view {
	desk := func(name, code, locale, scheme, heading string, status int) view {
		return view{name: name, code: code, Locale: locale, Scheme: scheme, Width: deskWidth, Height: deskHeight, heading: heading, status: status}
	}
	phone := func(name, code, locale, scheme, heading string, status int) view {
		return view{name: name, code: code, Locale: locale, Scheme: scheme, Width: phoneWidth, Height: phoneHeight, heading: heading, status: status}
	}
	return []view{
		desk("401-light", "missing_credentials", "en-GB", "light", "Sign in to continue", 401),
		desk("401-dark", "missing_credentials", "en-GB", "dark", "Sign in to continue", 401),
		phone("403-phone-light", "insufficient_scope", "en-US", "light", "You have no access here", 403),
		phone("401-phone-korean", "expired_token", "ko-KR", "light", "로그인이 만료되었습니다", 401),
		phone("429-phone-dark", "too_many_attempts", "en-US", "dark", "Too many attempts", 429),
		phone("503-phone-korean-dark", "temporarily_unavailable", "ko-KR", "dark", "잠시 후 다시 시도해 주세요", 503),
	}
}

func TestPages(t *testing.T) {
	s := harness.Start(t, `{
	auth {
		oracle
	}
}
http://localhost:8080 {
	require_auth {
		scope reports:read reports:write
		login_url /login
	}
	respond ok
}
`)
	all := views()
	folder := t.TempDir()
	if *update {
		folder = "../../docs/images"
	}
	for i := range all {
		all[i].URL = s.URL("/reports")
		all[i].Header = map[string]string{"X-Code": all[i].code, "X-Trace-Id": "7f3c1d9e-52ab-4c06-9b7e-0d1f6a83c2e4"}
		all[i].Picture = filepath.Join(folder, all[i].name+".png")
	}
	var observed []sight
	drive(t, "pages.mjs", map[string]any{"views": all}, &observed)
	if len(observed) != len(all) {
		t.Fatalf("%d of %d pages", len(observed), len(all))
	}
	for i, v := range all {
		t.Run(v.name, func(t *testing.T) { check(t, v, observed[i]) })
	}
}

func check(t *testing.T, v view, got sight) {
	t.Helper()
	language, _, _ := strings.Cut(v.Locale, "-")
	if got.Status != v.status || got.Language != language || got.Heading != v.heading {
		t.Errorf("status %d, language %s, heading %s", got.Status, got.Language, got.Heading)
	}
	if !strings.Contains(got.Text, v.Header["X-Trace-Id"]) {
		t.Errorf("the trace id is not shown: %s", got.Text)
	}
	if got.TooWide {
		t.Error("it is wider than the window")
	}
	if !slices.Equal(got.Requests, []string{v.URL}) {
		t.Errorf("it loads more than itself: %v", got.Requests)
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser complains: %q", got.Complaints)
	}
	if len(got.Violations) > 0 {
		t.Errorf("it is hard to use: %q", got.Violations)
	}
	if (v.status == 401) != (len(got.Buttons) == 1) {
		t.Errorf("the buttons are %v", got.Buttons)
	}
	for _, button := range got.Buttons {
		if !strings.HasSuffix(button.Href, "/login") || button.Height < 44 {
			t.Errorf("it is hard to hit or leads elsewhere: %+v", button)
		}
	}
	light, width := measure(t, v.Picture)
	if light != (v.Scheme == "light") || width != v.Width {
		t.Errorf("the picture is light: %v, and %d wide", light, width)
	}
}

// measure returns whether the corner of a picture is light, and its width.
func measure(t *testing.T, path string) (light bool, width int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	r, g, b, _ := picture.At(0, 0).RGBA()
	return r+g+b > 3*0x8000, picture.Bounds().Dx()
}
