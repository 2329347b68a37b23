//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var update = flag.Bool("update", false, "replace the pictures of docs/images")

// chromium is the browser.
var chromium string

// TestMain fails where the browser cannot run: tests that are left out in
// silence would prove nothing.
func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if chromium, err = exec.LookPath("chromium"); err != nil {
		fmt.Fprintln(os.Stderr, "chromium is missing: install it, for example with apt-get install chromium")
		os.Exit(1)
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		fmt.Fprintln(os.Stderr, "playwright-core is missing: run npm ci in integration_test/browser")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// drive runs a script with an order and decodes what it prints.
func drive(t *testing.T, script string, order map[string]any, result any) {
	t.Helper()
	order["executable"] = chromium
	input, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(limited, "node", script)
	command.Stdin = bytes.NewReader(input)
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, problems.Bytes())
	}
	if err := json.Unmarshal(output.Bytes(), result); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output.Bytes())
	}
}

// response is what a script could read.
type response struct {
	Status     int
	Redirected bool
	Header     map[string]string
	Body       string
	Error      string   // instead of all that
	Before     int      // the status before the token was renewed
	Preflights []int    // the statuses of preflights
	Prompts    []string // the windows for a user name and a password
	Loaded     []string // what the page could load
}

// problem is the body of a denial.
func (r response) problem(t *testing.T) harness.Problem {
	t.Helper()
	var p harness.Problem
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Fatalf("the body is no problem document: %v\n%s", err, r.Body)
	}
	return p
}

func hash(t *testing.T, password string) string {
	t.Helper()
	hashed, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hashed)
}
