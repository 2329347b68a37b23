package clientcert

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func adapt(text string) (string, error) {
	var c ClientCert
	if err := c.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		return "", err
	}
	adapted, err := json.Marshal(&c)
	return string(adapted), err
}

func TestCaddyfile(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":        {"client_cert", `{}`},
		"an empty block": {"client_cert {\n}", `{}`},
		"everything": {
			`client_cert {
				realm      "the machines"
				trust_pool a.pem b.pem
				trust_pool c.pem
				user_from  san_uri
				rule san_uri spiffe://example/* {
					scope read write
					scope admin
					role  robot
				}
				rule subject "*,O=Example Ltd" {
					role member guest
				}
				rule issuer CN=CA
				only_matching
			}`,
			`{"realm":"the machines","trust_pool":["a.pem","b.pem","c.pem"],"user_from":"san_uri","rules":[` +
				`{"match":{"san_uri":"spiffe://example/*"},"scopes":["read","write","admin"],"roles":["robot"]},` +
				`{"match":{"subject":"*,O=Example Ltd"},"roles":["member","guest"]},` +
				`{"match":{"issuer":"CN=CA"}}],"only_matching":true}`,
		},
	} {
		t.Run(name+" is read", func(t *testing.T) {
			if got, err := adapt(test.text); err != nil || got != test.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	for _, field := range fields {
		t.Run("a rule for "+string(field)+" is read", func(t *testing.T) {
			if got, err := adapt("client_cert {\n rule " + string(field) + " x\n}"); err != nil || got != `{"rules":[{"match":{"`+string(field)+`":"x"}}]}` {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestCaddyfileRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		says []string
	}{
		"an argument":                      {"client_cert x {\n}", []string{"Testfile:1"}},
		"an unknown line":                  {"client_cert {\n realm x\n trust ca.pem\n}", []string{`unrecognized subdirective "trust"`, "only_matching, realm, rule, trust_pool, user_from", "Testfile:3"}},
		"an unknown line in a rule":        {"client_cert {\n rule subject x {\n  scopes a\n }\n}", []string{`unrecognized subdirective "scopes"`, "Testfile:3"}},
		"trust_pool without a file":        {"client_cert {\n trust_pool\n}", []string{"Testfile:2"}},
		"user_from without a field":        {"client_cert {\n user_from\n}", []string{"Testfile:2"}},
		"user_from with two fields":        {"client_cert {\n user_from subject san_dns\n}", []string{"Testfile:2"}},
		"user_from twice":                  {"client_cert {\n user_from subject\n user_from san_dns\n}", []string{"duplicate user_from", "Testfile:3"}},
		"user_from of no field":            {"client_cert {\n realm x\n user_from cn\n}", []string{`user_from "cn"`, "subject, common_name, san_dns, san_uri or san_email", "Testfile:3"}},
		"user_from of another's name":      {"client_cert {\n user_from issuer\n}", []string{`user_from "issuer"`, "Testfile:2"}},
		"user_from in capitals":            {"client_cert {\n user_from Subject\n}", []string{`user_from "Subject"`, "Testfile:2"}},
		"a rule without a pattern":         {"client_cert {\n rule subject\n}", []string{"rule <field> <pattern>", "Testfile:2"}},
		"a rule with two patterns":         {"client_cert {\n rule subject a b\n}", []string{"rule <field> <pattern>", "Testfile:2"}},
		"a rule for no field":              {"client_cert {\n realm x\n rule cn x {\n  scope a\n }\n}", []string{`"cn"`, "san_email or issuer", "Testfile:3"}},
		"a rule with an empty pattern":     {"client_cert {\n rule subject \"\"\n}", []string{"the pattern is empty", "Testfile:2"}},
		"a * in the middle":                {"client_cert {\n rule san_dns a.*.example\n}", []string{"write one * only", "Testfile:2"}},
		"two *":                            {"client_cert {\n rule san_dns *.example.*\n}", []string{"write one * only", "Testfile:2"}},
		"nothing but two *":                {"client_cert {\n rule san_dns **\n}", []string{"write one * only", "Testfile:2"}},
		"a * that a value could fill":      {"client_cert {\n rule subject *O=Example\n}", []string{"*,O=Example", "Testfile:2"}},
		"a * in front of a part of one":    {"client_cert {\n rule issuer *Example\n}", []string{"*,O=Example", "Testfile:2"}},
		"a scope without a value":          {"client_cert {\n rule subject x {\n  scope\n }\n}", []string{"Testfile:3"}},
		"only_matching with a value":       {"client_cert {\n only_matching yes\n}", []string{"Testfile:2"}},
		"only_matching without a rule":     {"\nclient_cert {\n only_matching\n}", []string{"refuses every certificate", "Testfile:2"}},
		"a realm that cannot be sent":      {"client_cert {\n realm é\n}", []string{"realm", "Testfile:1"}},
		"the same line of a block again":   {"client_cert {\n only_matching\n only_matching\n}", []string{"duplicate only_matching", "Testfile:3"}},
		"a role outside a rule of its own": {"client_cert {\n role x\n}", []string{`unrecognized subdirective "role"`, "Testfile:2"}},
	} {
		t.Run(name+" is refused at its place", func(t *testing.T) {
			adapted, err := adapt(test.text)
			if err == nil {
				t.Fatalf("it was accepted: %s", adapted)
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
		})
	}
}

func TestProvision(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	good := encode(ca.cert)
	broken := strings.Replace(good, "MII", "!!!", 1)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}))
	junk := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")}))
	pool := func(content string) string {
		config, err := json.Marshal(map[string][]string{"trust_pool": {file(t, good), file(t, content)}})
		if err != nil {
			t.Fatal(err)
		}
		return string(config)
	}
	for name, test := range map[string]struct{ config, says string }{
		"an unknown member":             {`{"trust_pools": []}`, "trust_pools"},
		"a user_from of no field":       {`{"user_from": "issuer"}`, "user_from"},
		"a rule without a match":        {`{"rules": [{"scopes": ["admin"]}]}`, "every certificate"},
		"a rule with an empty match":    {`{"rules": [{"match": {}}]}`, "every certificate"},
		"a rule for no field":           {`{"rules": [{"match": {"subject": "x", "cn": "x"}}]}`, `"cn"`},
		"a rule with an empty pattern":  {`{"rules": [{"match": {"subject": ""}}]}`, "the pattern is empty"},
		"a pattern with two *":          {`{"rules": [{"match": {"san_dns": "*a*"}}]}`, "write one * only"},
		"only_matching without a rule":  {`{"only_matching": true}`, "refuses every certificate"},
		"a realm that cannot be sent":   {`{"realm": "a\nb"}`, "realm"},
		"a file that is not there":      {`{"trust_pool": ["` + filepath.Join(t.TempDir(), "none.pem") + `"]}`, "none.pem"},
		"a file without a name":         {`{"trust_pool": [""]}`, "trust_pool"},
		"an empty file":                 {pool(""), "no PEM certificate"},
		"a file of words":               {pool("trust me"), "no PEM certificate"},
		"a file with a key":             {pool(good + key), "PRIVATE KEY"},
		"a file with a broken one":      {pool(broken + good), "2 certificates begin in it, but only 1"},
		"a file with half of one":       {pool(good + good[:len(good)/2]), "2 certificates begin in it, but only 1"},
		"a file with what is none":      {pool(junk), "x509"},
		"a file in binary instead":      {pool(string(ca.cert.Raw)), "no PEM certificate"},
		"an OpenSSL trusted cert":       {pool(strings.ReplaceAll(good, " CERTIFICATE", " TRUSTED CERTIFICATE")), "TRUSTED CERTIFICATE"},
		"a placeholder for a good file": {`{"trust_pool": ["{env.NONE}"]}`, "trust_pool"},
	} {
		t.Run("R8705-3: "+name+" is refused at load", func(t *testing.T) {
			_, err := load(t, test.config)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("R8705-3: without any configuration it loads and trusts no client", func(t *testing.T) {
		c, err := load(t, `{}`)
		if err != nil {
			t.Fatal(err)
		}
		if c.roots != nil || c.UserFrom != Subject || c.trusts(unverifiedState(ca.cert)) == nil || c.trusts(unverifiedState(ca.leaf(t, nil), ca.cert)) == nil {
			t.Errorf("loaded %+v", c)
		}
	})
	t.Run("R8705-3: an adapted Caddyfile is loaded", func(t *testing.T) {
		adapted, err := adapt("client_cert {\n trust_pool " + file(t, good) + "\n rule common_name robot {\n  scope read\n }\n only_matching\n}")
		if err != nil {
			t.Fatal(err)
		}
		c, err := load(t, adapted)
		if err != nil {
			t.Fatal(err)
		}
		want := x509.NewCertPool()
		want.AddCert(ca.cert)
		if !c.roots.Equal(want) || len(c.Rules) != 1 || !c.OnlyMatching {
			t.Errorf("loaded %+v", c)
		}
	})
}
