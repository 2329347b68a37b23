package requireauth

import (
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
			cmd.AddCommand(mintCommand())
			cmd.AddCommand(explainCommand())
			cmd.AddCommand(command.All()...)
		},
	})
}
