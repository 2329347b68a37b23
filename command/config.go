package command

import (
	"errors"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// source are the flags that choose a configuration.
type source struct{ file, adapter string }

func (s *source) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&s.file, "config", "c", "", "the configuration; - is the standard input (default: the Caddyfile of this folder)")
	flags.StringVarP(&s.adapter, "adapter", "a", "", "the adapter that turns it into JSON (default: by the name of the file)")
}

// addOpenAPI adds the flag for the copies of OpenAPI documents at URLs.
func addOpenAPI(flags *pflag.FlagSet, values *[]string) {
	flags.StringArrayVar(values, "openapi", nil, "a copy of an OpenAPI document at a URL, as `<URL>=<file>`; may be repeated")
}

// configuration is a configuration that was read.
type configuration struct {
	*routes.Config
	// raw is the configuration in JSON.
	raw []byte
	// file and adapter are the resulting ones.
	file, adapter string
}

var errNoConfig = errors.New("no configuration found: write --config <file>, or run the command in the folder of a Caddyfile")

func (s *source) read() (*configuration, error) {
	raw, file, adapter, err := caddycmd.LoadConfig(s.file, s.adapter)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, errNoConfig
	}
	config, err := routes.Parse(raw)
	if err != nil {
		return nil, err
	}
	return &configuration{Config: config, raw: raw, file: file, adapter: adapter}, nil
}

// analyze analyzes every server.
func (c *configuration) analyze() []routes.Analysis {
	all := make([]routes.Analysis, len(c.Servers))
	for i := range c.Servers {
		all[i] = c.Walk(&c.Servers[i], routes.Region{})
	}
	return all
}
