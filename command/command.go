// Package command has the commands below `caddy auth` that check a configuration or
// generate parts of one.
package command

import (
	"encoding/json"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Exit codes of the commands.
const (
	exitDone     = 0
	exitFailed   = 1 // the command failed
	exitFindings = 2 // the command succeeded and has findings
)

// All returns the commands, given a function that loads a configuration.
func All(load loadForTest) []*cobra.Command {
	return []*cobra.Command{testCommand(load), routesCommand(), lintCommand(), newKeyCommand(), hashKeyCommand(), mintCommand(), openapiCommand(), reportCommand(), convertCommand(load)}
}

// run returns a command for a function that returns an exit code. The function has
// printed its findings, so no error message follows.
func run(do func(cmd *cobra.Command) (code int, err error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		code, err := do(cmd)
		if err != nil || code == exitDone {
			return err
		}
		cmd.SilenceErrors = true
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, args)
	}
}

func writeJSON(w io.Writer, report any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(report)
}
