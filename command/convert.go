package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/excorp/caddy-require-auth/internal/convert"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

type convertOptions struct {
	load         loadForTest
	file, output string
}

// convertCommand replaces other directives of a Caddyfile by gates.
func convertCommand(load loadForTest) *cobra.Command {
	options := convertOptions{load: load}
	command := &cobra.Command{
		Use:   "convert",
		Short: "Converts a Caddyfile with other authentication directives",
		Long: `
Reads a Caddyfile and prints it with require_auth instead of

  basic_auth                     of Caddy
  jwtauth                        of github.com/ggicci/caddy-jwt
  token                          of github.com/loafoe/caddy-token
  header Authorization "Bearer…" a matcher of a credential that decides the answer,
                                 also of X-API-Key and similar fields

The rest of the file stays. A line that needs attention gets a comment that begins
with "# convert:". The standard error has the comments, too.

The result is never more open than the original, and it loads: the command loads it
without a network before it prints. A line that it cannot convert is an error, and
nothing is written. A directive of Caddy in an unknown form stays.

Variables such as {$API_KEY} in a credential are read from the environment, because
a gate needs the digest of the credential.`,
		Example: `  caddy auth convert > Caddyfile.new
  caddy auth convert --config old/Caddyfile --output Caddyfile`,
		Args: cobra.NoArgs,
		RunE: run(options.run),
	}
	flags := command.Flags()
	flags.StringVarP(&options.file, "config", "c", "Caddyfile", "the Caddyfile; - is the standard input")
	flags.StringVarP(&options.output, "output", "o", "", "a file that does not exist yet, for the result (default: the standard output)")
	return command
}

func (o *convertOptions) run(cmd *cobra.Command) (int, error) {
	content, err := textfile.ReadArgument(o.file)
	if err != nil {
		return exitFailed, err
	}
	folder := filepath.Dir(o.file)
	result, err := convert.Caddyfile(o.file, content, convert.Options{
		Getenv: os.Getenv,
		ReadFile: func(path string) ([]byte, error) {
			if !filepath.IsAbs(path) {
				path = filepath.Join(folder, path)
			}
			return os.ReadFile(path)
		},
	})
	if err != nil {
		return exitFailed, err
	}
	if result.Gates == 0 && len(result.Notes) == 0 {
		return exitFailed, fmt.Errorf("nothing to convert in %s", o.file)
	}
	if err := o.check(result.Caddyfile); err != nil {
		return exitFailed, fmt.Errorf("the converted Caddyfile does not load, so it is not written: %w", err)
	}
	for _, note := range result.Notes {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), note); err != nil {
			return exitFailed, err
		}
	}
	if o.output == "" {
		_, err = cmd.OutOrStdout().Write(result.Caddyfile)
		return exitDone, err
	}
	return exitDone, writeNew(o.output, result.Caddyfile)
}

// check loads a converted Caddyfile.
func (o *convertOptions) check(content []byte) error {
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(content, map[string]any{"filename": o.file})
	if err != nil {
		return err
	}
	_, _, err = o.load(raw)
	return err
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}
