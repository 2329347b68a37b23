package requireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/command"
	"github.com/excorp/caddy-require-auth/internal/textfile"
	"github.com/excorp/caddy-require-auth/openapi"
)

// explainOptions are the flags of `caddy auth explain`.
type explainOptions struct {
	config, adapter, jwks, address string

	method, url string
	headers     []string

	tokenFile, tokenEnv, scheme, certificate string

	openapi []string
	json    bool
}

// explainCommand explains the answer to a request.
func explainCommand() *cobra.Command {
	var options explainOptions
	explain := &cobra.Command{
		Use:   "explain",
		Short: "Explains which gates decide about a request, by which rule, and the answer",
		Long: `
Explains what happens to a request: its gates, the scheme that verifies it, each
check with its result, and the exact answer. Nothing is forwarded, used up, counted
or logged, and no credential is printed. With a token and no URL, the schemes verify
the token alone.

With --config, the command reads a configuration file and sends nothing over the
network: the keys of issuers come from --jwks, OpenAPI documents at URLs from
--openapi, and revocations are unknown.
With --address, a running server explains, through its admin API.

A token comes from a file, from standard input (--token-file -), or from an
environment variable. A command line is visible to other users of this
machine.`,
		Example: `  caddy auth explain --config Caddyfile --url https://api.example.com/admin
  caddy auth explain --config Caddyfile --jwks keys.json --url https://api.example.com/admin --token-file -
  caddy auth explain --address localhost:2019 --token-env TOKEN`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			explained, err := options.explain(cmd.Context(), cmd.InOrStdin())
			if err != nil {
				return err
			}
			if options.json {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				encoder.SetEscapeHTML(false)
				return encoder.Encode(explained)
			}
			return explained.print(cmd.OutOrStdout())
		},
	}
	flags := explain.Flags()
	flags.StringVarP(&options.config, "config", "c", "", "the configuration file")
	flags.StringVarP(&options.adapter, "adapter", "a", "", "the adapter of the configuration (default: by its name)")
	flags.StringVar(&options.jwks, "jwks", "", "a file with the keys of issuers, a JWK Set")
	flags.StringVar(&options.address, "address", "", "the admin API of a running server, such as localhost:2019 or unix//run/caddy/admin.sock")
	flags.StringVarP(&options.method, "method", "X", "", "the method (default: GET)")
	flags.StringVar(&options.url, "url", "", "the URL, with the port on which Caddy listens")
	flags.StringArrayVarP(&options.headers, "header", "H", nil, "a header field as `Name: value`; may be repeated")
	flags.StringVar(&options.tokenFile, "token-file", "", "a file with a token, - for standard input")
	flags.StringVar(&options.tokenEnv, "token-env", "", "the environment variable that holds a token")
	flags.StringVar(&options.certificate, "certificate", "", "a PEM file with the certificate of the client, and its issuers")
	flags.StringVar(&options.scheme, "scheme", "", "the scheme that verifies a token without a URL (default: all)")
	flags.StringArrayVar(&options.openapi, "openapi", nil, "with --config, a copy of an OpenAPI document at a URL, as `<URL>=<file>`; may be repeated")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	return explain
}

func (o explainOptions) explain(ctx context.Context, stdin io.Reader) (*Explanation, error) {
	if (o.config == "") == (o.address == "") {
		return nil, errors.New("give either --config or --address")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	q, err := o.question(stdin)
	if err != nil {
		return nil, err
	}
	if o.address != "" {
		return o.send(ctx, q)
	}
	config, _, _, err := caddycmd.LoadConfig(o.config, o.adapter)
	if err != nil {
		return nil, err
	}
	if err := openapi.UseCopies(o.openapi); err != nil {
		return nil, err
	}
	offline, err := loadOffline(config, withKeys(o.jwks))
	if err != nil {
		return nil, err
	}
	explained, err := offline.explain(ctx, q)
	if err == nil {
		explained.withoutRevocations()
	}
	return explained, err
}

// question is what the flags describe.
func (o explainOptions) question(stdin io.Reader) (question, error) {
	q := question{Method: o.method, URL: o.url, Header: make(http.Header), Scheme: o.scheme}
	for _, field := range o.headers {
		name, value, found := strings.Cut(field, ":")
		if !found || name == "" {
			return q, errors.New("--header: write `Name: value`")
		}
		q.Header.Add(name, strings.TrimSpace(value))
	}
	token, err := o.token(stdin)
	if err != nil {
		return q, err
	}
	q.Token = strings.TrimSpace(token)
	if o.certificate != "" {
		read, err := textfile.ReadArgument(o.certificate)
		if err != nil {
			return q, err
		}
		q.Certificate = string(read)
	}
	return q, q.check()
}

func (o explainOptions) token(stdin io.Reader) (string, error) {
	switch {
	case o.tokenFile != "" && o.tokenEnv != "":
		return "", errors.New("give either --token-file or --token-env")
	case o.tokenFile == "-":
		read, err := io.ReadAll(io.LimitReader(stdin, maxAdminBody))
		if err == nil {
			read, err = textfile.Decode(read)
		}
		return string(read), err
	case o.tokenFile != "":
		read, err := textfile.ReadArgument(o.tokenFile)
		return string(read), err
	case o.tokenEnv == "":
		return "", nil
	}
	if token := os.Getenv(o.tokenEnv); token != "" {
		return token, nil
	}
	return "", fmt.Errorf("the environment variable %s is empty", o.tokenEnv)
}

// send has a running server explain.
func (o explainOptions) send(ctx context.Context, q question) (*Explanation, error) {
	members := make(map[string]any)
	for name, value := range q.texts() {
		if *value != "" {
			members[name] = *value
		}
	}
	if len(q.Header) > 0 {
		members["headers"] = q.Header
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	answer, err := command.CallServer(ctx, o.address, http.MethodPost, "/auth/explain", body, explainFor+10*time.Second)
	if err != nil {
		return nil, err
	}
	explained := new(Explanation)
	return explained, json.Unmarshal(answer, explained)
}
