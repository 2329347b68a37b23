package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/excorp/caddy-require-auth/internal/apikeyformat"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// keyOptions are the flags of the commands that print a line for a key.
type keyOptions struct {
	id, prefix, expires string
	scopes, roles       []string
	asJSON              bool
}

func (o *keyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.id, "id", "partner-a", "the name of the key, for logs and as the caller's id")
	flags.StringSliceVar(&o.scopes, "scope", nil, "a scope of the holder; may be repeated")
	flags.StringSliceVar(&o.roles, "role", nil, "a role of the holder; may be repeated")
	flags.StringVar(&o.expires, "expires", "", "the end of the key: a time such as 2099-01-01T00:00:00Z, or a duration such as 90d")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON; without the key it is an element of a keys_file")
}

// newKeyCommand generates an API key.
func newKeyCommand() *cobra.Command {
	var options keyOptions
	command := &cobra.Command{
		Use:   "new-key",
		Short: "Generates an API key and the line that configures it",
		Long: `
Generates a random API key. Prints the key, and the line for the Caddyfile, which has
only its digest. The key is not stored: give it to its holder now.

A key is the prefix, 43 characters for 256 random bits, and a checksum of 6
characters. Configure your secret scanner with ` + apikeyformat.Pattern + `.
The checksum (CRC-32 of all before it, in base 62) distinguishes keys from other text.`,
		Example: `  caddy auth new-key --id partner-a --scope read
  caddy auth new-key --prefix acme_live_ --expires 90d --json`,
		Args: cobra.NoArgs,
		RunE: run(func(cmd *cobra.Command) (int, error) {
			key, err := apikeyformat.New(options.prefix)
			if err != nil {
				return exitFailed, err
			}
			return exitDone, options.print(cmd.OutOrStdout(), key, true)
		}),
	}
	options.addFlags(command)
	command.Flags().StringVar(&options.prefix, "prefix", apikeyformat.DefaultPrefix, "the prefix of the key")
	return command
}

// hashKeyCommand prints the line for an existing key.
func hashKeyCommand() *cobra.Command {
	var options keyOptions
	command := &cobra.Command{
		Use:   "hash-key",
		Short: "Prints the line that configures an API key",
		Long: `
Reads an API key from the standard input and prints the line for the Caddyfile,
which has only its digest. The key is not an argument, because other users of the
machine can see arguments.`,
		Example: `  caddy auth hash-key --id partner-a < key.txt`,
		Args:    cobra.NoArgs,
		RunE: run(func(cmd *cobra.Command) (int, error) {
			key, err := readKey(cmd)
			if err != nil {
				return exitFailed, err
			}
			return exitDone, options.print(cmd.OutOrStdout(), key, false)
		}),
	}
	options.addFlags(command)
	return command
}

const (
	// minKey is the size of a key in bytes below which an attacker can guess it from
	// its digest.
	minKey = 16
	maxKey = 16 << 10
)

// readKey reads a key without the line end after it.
func readKey(cmd *cobra.Command) (string, error) {
	content, err := readInput(cmd)
	if err == nil {
		content, err = textfile.Decode(content)
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case err != nil:
		return "", err
	case len(key) < minKey:
		return "", fmt.Errorf("the key has %d bytes, %d are needed: a shorter one can be guessed from its digest; make one with `caddy auth new-key`", len(key), minKey)
	case len(key) > maxKey, strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", errors.New("the key is too long, or has a space or a line end in it, which no header field can carry as it is")
	case apikeyformat.ChecksumMismatch(key):
		return "", errors.New("the checksum of the key is wrong: it was mistyped or cut off")
	}
	return key, nil
}

// readInput reads the standard input. A terminal does not show it.
func readInput(cmd *cobra.Command) ([]byte, error) {
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxKey+1))
	}
	cmd.PrintErr("Key: ")
	defer cmd.PrintErrln()
	return term.ReadPassword(int(file.Fd()))
}

func (o *keyOptions) print(w io.Writer, key string, show bool) error {
	expires, err := o.end(time.Now())
	if err != nil {
		return err
	}
	o.scopes, o.roles = strings.Fields(strings.Join(o.scopes, " ")), strings.Fields(strings.Join(o.roles, " "))
	for _, word := range append(append([]string{o.id}, o.scopes...), o.roles...) {
		if !plainWord(word) {
			return fmt.Errorf("%q: write a name without spaces, quotes, braces and #", word)
		}
	}
	if o.asJSON {
		entry := struct {
			Key     string   `json:"key,omitempty"`
			ID      string   `json:"id"`
			Digest  string   `json:"digest"`
			Scopes  []string `json:"scopes,omitempty"`
			Roles   []string `json:"roles,omitempty"`
			Expires string   `json:"expires,omitempty"`
		}{ID: o.id, Digest: apikeyformat.Digest(key), Scopes: o.scopes, Roles: o.roles, Expires: expires}
		if show {
			entry.Key = key
		}
		return writeJSON(w, entry)
	}
	if show {
		if _, err := fmt.Fprintf(w, "%s\n\n", key); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(w, o.line(key, expires))
	return err
}

// plainWord reports whether a word needs no quotes in a Caddyfile.
func plainWord(word string) bool {
	return word != "" && !strings.ContainsAny(word, "\"\\{}`#") &&
		!strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// end returns when the key ends, in RFC 3339.
func (o *keyOptions) end(now time.Time) (string, error) {
	if o.expires == "" {
		return "", nil
	}
	at, err := time.Parse(time.RFC3339, o.expires)
	if duration, failure := caddy.ParseDuration(o.expires); failure == nil {
		at, err = now.Add(duration).UTC(), nil
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("--expires %s: write a time such as 2099-01-01T00:00:00Z, or a duration such as 90d", o.expires)
	case !at.After(now):
		return "", fmt.Errorf("--expires %s is over: write a time in the future", o.expires)
	}
	return at.Format(time.RFC3339), nil
}

// line returns the line of the Caddyfile.
func (o *keyOptions) line(key, expires string) string {
	line := "key " + o.id + " " + apikeyformat.Digest(key)
	var block []string
	for _, part := range []struct{ name, value string }{
		{"scope  ", strings.Join(o.scopes, " ")}, {"role   ", strings.Join(o.roles, " ")}, {"expires", expires},
	} {
		if part.value != "" {
			block = append(block, "\t"+part.name+" "+part.value+"\n")
		}
	}
	if len(block) == 0 {
		return line
	}
	return line + " {\n" + strings.Join(block, "") + "}"
}
