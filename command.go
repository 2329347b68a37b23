package requireauth

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/command"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "auth",
		Short: "Tools for the authentication gate",
		Long: `
Tools for those who run the require_auth gate. See the help of each command.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return fmt.Errorf("unknown command %q: `caddy auth --help` lists those that exist", args[0])
				}
				return cmd.Help()
			}
			cmd.AddCommand(explainCommand())
			cmd.AddCommand(command.All(loadForTest)...)
		},
	})
}
