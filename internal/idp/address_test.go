package idp

import (
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	// R8414-1.
	for raw, want := range map[string]bool{
		"https://id.example":              true,
		"https://id.example:8443/t?a=b":   true,
		"HTTPS://id.example/":             true,
		"http://localhost:8080/keys":      true,
		"http://LOCALHOST/":               true,
		"http://127.8.9.1/":               true,
		"http://[::1]:80/":                true,
		"http://id.example/":              false,
		"http://localhost.id.example/":    false,
		"http://127.0.0.1.id.example/":    false,
		"http://0.0.0.0/":                 false,
		"http://10.0.0.1/":                false,
		"http://2130706433/":              false,
		"https://user:hunter2@id.example": false,
		"https://id.example/#":            false,
		"https://id.example/#a":           false,
		"https://":                        false,
		"https://:443/":                   false,
		"https:id.example":                false,
		"//id.example/":                   false,
		"file:///etc/keys":                false,
		"id.example":                      false,
		"":                                false,
		"https://hunter2 %zz":             false,
		"https://id.example/\n":           false,
	} {
		err := CheckURL(raw)
		if (err == nil) != want {
			t.Errorf("%q: got %v", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats it: %v", raw, err)
		}
	}
}

func TestCheckIssuer(t *testing.T) {
	// R8414-1.
	for raw, want := range map[string]bool{
		"https://id.example/t/":    true,
		"https://id.example/%3F":   true,
		"https://id.example/t?":    false,
		"https://id.example/t?a=b": false,
		"https://id.example/t#":    false,
		"http://id.example/t":      false,
	} {
		if err := CheckIssuer(raw); (err == nil) != want {
			t.Errorf("%q: got %v", raw, err)
		}
	}
}

func TestAllowedHosts(t *testing.T) {
	// R8414-1.
	for raw, want := range map[string]bool{
		"http://keycloak:8080/realms/main": true,
		"http://KEYCLOAK/":                 true,
		"http://[fd00::1]:8080/":           true,
		"http://keycloak.evil/":            false,
		"http://hydra/":                    false,
		"ftp://keycloak/":                  false,
		"http://user@keycloak/":            false,
	} {
		if err := CheckURL(raw, "keycloak", "fd00::1"); (err == nil) != want {
			t.Errorf("%q: got %v", raw, err)
		}
	}
	if !IsPlaintext("http://keycloak/") || IsPlaintext("http://localhost/") || IsPlaintext("https://keycloak/") {
		t.Error("plaintext is mistaken")
	}
}
