package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	document "github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/textfile"
	"github.com/excorp/caddy-require-auth/openapi"
)

type openapiOptions struct {
	source
	document, host string
}

// openapiCommand adds the requirements of the gates to an OpenAPI document.
func openapiCommand() *cobra.Command {
	var options openapiOptions
	command := &cobra.Command{
		Use:   "openapi",
		Short: "Adds the requirements of the gates to an OpenAPI document",
		Long: `
Adds the requirements of the gates to an OpenAPI 3 document, JSON or YAML: security
schemes, the schemes of each operation, and the answers 401 and 403. Without a
document it prints the components.

The content of the document stays. Its own security is joined with that of the
gates, and its own answers count. A second run changes nothing. Comments of YAML
stay.
Gates with "hide all" are left out.`,
		Example: `  caddy auth openapi --document openapi.yaml
  caddy auth openapi --config caddy.json --host api.example.com --document - < openapi.json`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.StringVarP(&options.document, "document", "d", "", "the OpenAPI document; - is the standard input")
	flags.StringVar(&options.host, "host", "", "the site that serves the API; needed where there are several")
	return command
}

func (o *openapiOptions) run(cmd *cobra.Command) (int, error) {
	if o.document == "-" && o.file == "-" {
		return exitFailed, errors.New("only one of --config and --document can be the standard input")
	}
	config, err := o.read()
	if err != nil {
		return exitFailed, err
	}
	sites, err := config.sites(strings.ToLower(o.host))
	if err != nil {
		return exitFailed, err
	}
	if o.document == "" {
		return exitDone, writeDocument(cmd.OutOrStdout(), openapi.Components(sites), false)
	}
	described, isYAML, err := o.readDocument(cmd.InOrStdin())
	if err != nil {
		return exitFailed, err
	}
	if err := openapi.Merge(described, sites); err != nil {
		return exitFailed, fmt.Errorf("%s: %w", o.document, err)
	}
	return exitDone, writeDocument(cmd.OutOrStdout(), described, isYAML)
}

func writeDocument(w io.Writer, described *yaml.Node, isYAML bool) error {
	text, err := document.Write(described, "  ")
	if isYAML {
		text, err = document.WriteYAML(described)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func (o *openapiOptions) readDocument(stdin io.Reader) (described *yaml.Node, isYAML bool, err error) {
	var content []byte
	if o.document == "-" {
		if content, err = io.ReadAll(stdin); err == nil {
			content, err = textfile.Decode(content)
		}
	} else {
		content, err = textfile.ReadArgument(o.document)
	}
	if err != nil {
		return nil, false, err
	}
	extension := filepath.Ext(o.document)
	isYAML = extension == ".yaml" || extension == ".yml" ||
		o.document == "-" && !strings.HasPrefix(strings.TrimSpace(string(content)), "{")
	if isYAML {
		described, err = document.ParseYAML(content)
	} else {
		described, err = document.Parse(content)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", o.document, err)
	}
	return described, isYAML, nil
}

// sites returns the sites of the configuration that serve a host, or the only site.
func (c *configuration) sites(host string) ([]openapi.Site, error) {
	var names []string
	var sites []openapi.Site
	for i := range c.Servers {
		found := c.Walk(&c.Servers[i], routes.Region{})
		serves := false
		for _, use := range found.Gates {
			name := strings.Join(use.Scope.Hosts, ",")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			_, meets := use.Scope.With(routes.Set{Hosts: []string{host}})
			serves = serves || host == "" || meets
		}
		if serves {
			sites = append(sites, openapi.Site{Config: c.Config, Server: &c.Servers[i], Host: host, Describe: c.describe})
		}
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("the configuration has no gates")
	case host == "" && len(names) > 1:
		return nil, fmt.Errorf("several sites have gates: write --host with one of %s", strings.Join(names, " "))
	case len(sites) == 0:
		return nil, fmt.Errorf("no site with gates serves %s: write one of %s", host, strings.Join(names, " "))
	}
	return sites, nil
}

// describe describes a gate from its configuration alone.
func (c *configuration) describe(gate routes.Gate) (openapi.Gate, bool) {
	if gate.Handler != "require_auth" {
		return openapi.Gate{}, false
	}
	var config struct {
		Inline map[string]json.RawMessage `json:"inline"`
		Hide   string                     `json:"hide"`

		OpenAPI *openapi.Policy `json:"openapi"`
		authz.Requirement
	}
	if json.Unmarshal(gate.Config, &config) != nil {
		return openapi.Gate{}, false
	}
	described := openapi.Gate{
		Optional: gate.Optional || gate.ReportOnly, Silent: config.Hide != "", Hidden: config.Hide == "all", Requirement: &config.Requirement,
		Declared: config.OpenAPI != nil,
	}
	for _, name := range gate.Schemes {
		raw, ok := config.Inline[name]
		if !ok {
			raw = c.Schemes[name]
		}
		if scheme := newScheme(raw); scheme != nil {
			described.Names = append(described.Names, name)
			described.Schemes = append(described.Schemes, scheme)
		}
	}
	return described, true
}

// newScheme returns a configured scheme without Provision: it opens no file and no
// connection.
func newScheme(raw json.RawMessage) any {
	var named struct {
		Scheme string `json:"scheme"`
	}
	if json.Unmarshal(raw, &named) != nil {
		return nil
	}
	module, err := caddy.GetModule(authn.Namespace + "." + named.Scheme)
	if err != nil {
		return nil
	}
	scheme := module.New()
	if json.Unmarshal(raw, scheme) != nil {
		return nil
	}
	return scheme
}
