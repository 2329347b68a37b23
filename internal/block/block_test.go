package block_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// settings is what the lines of the tests fill.
type settings struct {
	realm string
	scope []string
	age   caddy.Duration
	flag  bool
	most  int
	inner settings2
}

type settings2 struct{ name string }

// read reads a block with a line of every kind.
func read(text string) (settings, error) {
	var s settings
	d := caddyfile.NewTestDispenser(text)
	if _, err := block.Begin(d); err != nil {
		return s, err
	}
	err := block.Read(d, block.Lines{
		"realm": block.String(&s.realm),
		"scope": block.Strings(&s.scope),
		"age":   block.Duration(&s.age),
		"flag":  block.Flag(&s.flag),
		"most":  block.Number(&s.most),
		"inner": func(d *caddyfile.Dispenser) error {
			if d.NextArg() {
				return d.ArgErr()
			}
			return block.Read(d, block.Lines{"name": block.String(&s.inner.name)})
		},
	})
	return s, err
}

func TestRead(t *testing.T) {
	t.Run("every kind of line is read, in any order", func(t *testing.T) {
		s, err := read("gate {\n inner {\n name x\n }\n scope a b\n realm \"the office\"\n flag\n age 90s\n most 12\n scope c\n}")
		if err != nil {
			t.Fatal(err)
		}
		if s.realm != "the office" || !slices.Equal(s.scope, []string{"a", "b", "c"}) || time.Duration(s.age) != 90*time.Second || !s.flag || s.most != 12 || s.inner.name != "x" {
			t.Errorf("read %+v", s)
		}
	})
	t.Run("no block and an empty block are nothing", func(t *testing.T) {
		for _, text := range []string{"gate", "gate {\n}", "gate {\n inner {\n }\n}", "gate {\n inner\n}"} {
			if s, err := read(text); err != nil || s.realm != "" || s.scope != nil || s.flag {
				t.Errorf("%q: %+v, %v", text, s, err)
			}
		}
	})
}

func TestReadRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		says []string
	}{
		"an unknown line":                   {"gate {\n realm x\n raelm y\n}", []string{`unrecognized subdirective "raelm"`, "age, flag, inner, most, realm, scope", "Testfile:3"}},
		"an unknown line in an inner block": {"gate {\n inner {\n  nome x\n }\n}", []string{`unrecognized subdirective "nome"`, "write one of name", "Testfile:3"}},
		"a line of another case":            {"gate {\n Realm x\n}", []string{`unrecognized subdirective "Realm"`, "Testfile:2"}},
		"an argument before the block":      {"gate x {\n}", []string{"Testfile:1"}},
		"a number written twice":            {"gate {\n most 1\n most 1\n}", []string{"duplicate most", "Testfile:3"}},
		"a number that is none":             {"gate {\n most many\n}", []string{`most "many": write a number`, "Testfile:2"}},
		"a number that is zero":             {"gate {\n most 0\n}", []string{`most "0"`, "Testfile:2"}},
		"a number below zero":               {"gate {\n most -1\n}", []string{`most "-1"`, "Testfile:2"}},
		"a number out of range":             {"gate {\n most 99999999999999999999\n}", []string{"most", "Testfile:2"}},
		"a number with a fraction":          {"gate {\n most 1.5\n}", []string{"most", "Testfile:2"}},
		"two numbers":                       {"gate {\n most 1 2\n}", []string{"exactly one number after most", "Testfile:2"}},
		"no number":                         {"gate {\n most\n}", []string{"exactly one number after most", "Testfile:2"}},
		"a text written twice":              {"gate {\n realm x\n flag\n realm x\n}", []string{"duplicate realm", "Testfile:4"}},
		"a duration written twice":          {"gate {\n age 1s\n age 1s\n}", []string{"duplicate age", "Testfile:3"}},
		"a flag written twice":              {"gate {\n flag\n flag\n}", []string{"duplicate flag", "Testfile:3"}},
		"a text without a value":            {"gate {\n realm\n}", []string{"Testfile:2"}},
		"a text with two values":            {"gate {\n realm the office\n}", []string{"Testfile:2"}},
		"a list without a value":            {"gate {\n flag\n scope\n}", []string{"Testfile:3"}},
		"a flag with a value":               {"gate {\n flag on\n}", []string{"Testfile:2"}},
		"a duration without a value":        {"gate {\n age\n}", []string{"Testfile:2"}},
		"a duration without a unit":         {"gate {\n age 10\n}", []string{`invalid duration "10"`, "Testfile:2"}},
		"a duration below zero":             {"gate {\n age -1s\n}", []string{`invalid duration "-1s"`, "Testfile:2"}},
	} {
		t.Run(name+" is refused at its place", func(t *testing.T) {
			_, err := read(test.text)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
		})
	}
}

func TestPosition(t *testing.T) {
	d := caddyfile.NewTestDispenser("first {\n}\nsecond {\n}\n")
	for d.Next() && d.Val() != "second" {
	}
	inner := block.Here(d)
	for d.Next() {
	}
	cause := errors.New("the cause")
	t.Run("an error is put where the block began", func(t *testing.T) {
		for range 2 {
			if err := inner.Wrap(cause); !errors.Is(err, cause) || !strings.Contains(err.Error(), "Testfile:3") {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("no error stays none", func(t *testing.T) {
		if err := inner.Wrap(nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("Begin is at the name of the block", func(t *testing.T) {
		d := caddyfile.NewTestDispenser("\n\nthird {\n}\n")
		start, err := block.Begin(d)
		if err != nil || !strings.Contains(start.Wrap(cause).Error(), "Testfile:3") {
			t.Errorf("error %v, %v", start.Wrap(cause), err)
		}
	})
}
