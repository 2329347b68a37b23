// Command gosdk is a client of the MCP SDK for Go; its argument is the server. It
// prints what happened as one JSON object. It is a module of its own, so that the plugin does not need the
// SDK.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const redirectURL = "http://localhost:1/callback"

// consent is the form of a gate that asks whether a client may sign in.
var consent = regexp.MustCompile(`<form method="post" action="([^"]*/consent/[^"]*)">\s*<input type="hidden" name="request" value="([^"]*)">`)

// exchange is a request to the server and what it said.
type exchange struct {
	Method string `json:"method"`
	Name   string `json:"name,omitempty"`
	Status int    `json:"status"`
}

// story is what is printed.
type story struct {
	mutex         sync.Mutex
	Exchanges     []exchange `json:"exchanges"`
	Registrations int        `json:"registrations"`
	Scopes        []string   `json:"scopes"`
	Tools         []string   `json:"tools"`
	Calls         []string   `json:"calls"`
}

// RoundTrip sends requests and notes what matters.
func (s *story) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch r.URL.Path {
	case "/tools":
		s.Exchanges = append(s.Exchanges, exchange{r.Method, r.Header.Get("Mcp-Name"), answer.StatusCode})
	case "/reg", "/.well-known/auth/oauth/register/tools":
		s.Registrations++
	}
	return answer, nil
}

// login does what a person's browser would do.
func (s *story) login(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	var landed *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), redirectURL) {
			landed = next.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	asked, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	s.Scopes = append(s.Scopes, asked.Query().Get("scope"))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, args.URL, nil)
	if err != nil {
		return nil, err
	}
	answer, err := browser.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if form := consent.FindSubmatch(page); form != nil {
		answer, err = browser.PostForm(answer.Request.URL.ResolveReference(&url.URL{Path: string(form[1])}).String(), url.Values{"request": {string(form[2])}, "decision": {"allow"}})
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
	}
	if landed == nil {
		return nil, fmt.Errorf("the login ended with %s\n%s", answer.Status, page)
	}
	query := landed.Query()
	return &auth.AuthorizationResult{Code: query.Get("code"), State: query.Get("state"), Iss: query.Get("iss")}, nil
}

func run(ctx context.Context, server string) (*story, error) {
	s := new(story)
	client := &http.Client{Transport: s}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "test", RedirectURIs: []string{redirectURL}, GrantTypes: []string{"authorization_code"},
			ResponseTypes: []string{"code"}, TokenEndpointAuthMethod: "none",
		}},
		RedirectURL: redirectURL, AuthorizationCodeFetcher: s.login, Client: client,
	})
	if err != nil {
		return nil, err
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1.0.0"}, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: server, HTTPClient: client, OAuthHandler: handler, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing tools: %w", err)
	}
	for _, tool := range listed.Tools {
		s.Tools = append(s.Tools, tool.Name)
	}
	slices.Sort(s.Tools)
	for _, tool := range []string{"read_file", "delete_file"} {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: map[string]any{"path": "/a"}})
		if err != nil {
			return nil, fmt.Errorf("calling %s: %w", tool, err)
		}
		s.Calls = append(s.Calls, result.Content[0].(*mcp.TextContent).Text)
	}
	return s, nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := run(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		log.Fatal(err)
	}
}
