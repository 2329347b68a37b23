package harness

import (
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/rogpeppe/go-internal/testscript"
)

// Main runs the tests of a package. In them, the command caddy is this program
// as Caddy with the plugin, in a process of its own.
func Main(m *testing.M) {
	testscript.Main(m, map[string]func(){"caddy": caddycmd.Main})
}
