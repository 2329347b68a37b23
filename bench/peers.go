package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"golang.org/x/crypto/bcrypt"
)

// buildPeers builds the program of folder peers.
func buildPeers(folder string) (program string, err error) {
	program = filepath.Join(folder, "peers")
	build := exec.Command("go", "build", "-C", "peers", "-o", program, ".")
	build.Stderr = os.Stderr
	return program, build.Run()
}

// peerRows compare other gates and this one with the same Caddy without a gate. The program is
// that of folder peers.
func peerRows(s setting) ([]row, error) {
	pem, err := s.keys.pem(jwa.RS256)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.folder, "rs256.pem")
	if err := os.WriteFile(file, pem, 0o600); err != nil {
		return nil, err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	warm := [][]byte{bearer(s.keys.token(jwa.RS256, 1))}
	basic := [][]byte{request(basicAuthorization)}
	key := [][]byte{request("X-API-Key: " + apiKey)}
	forged := s.keys.forged(0, 1)
	var all []row
	for _, gate := range []struct {
		name, lines string
		requests    [][]byte
		wrong       []byte
		fresh       bool
	}{
		{"`require_auth`", "\trequire_auth corp\n", warm, forged[0], true},
		{"caddy-jwt", fmt.Sprintf("\troute {\n\t\tjwtauth {\n\t\t\tsign_key %s\n\t\t\tsign_alg RS256\n\t\t\tissuer_whitelist %s\n\t\t\taudience_whitelist %s\n\t\t}\n\t}\n", "{file."+file+"}", issuer, audience), warm, forged[0], true},
		{"go-jwt-middleware", fmt.Sprintf("\tpeer_middleware * %s %s %s\n", file, issuer, audience), warm, forged[0], true},
		{"`jwt.Parse` of jwx", s.parsing(), warm, forged[0], true},
		{"`require_auth`, Basic", "\trequire_auth ops\n", basic, request("Authorization: Basic YTpi"), false},
		{"Caddy's `basic_auth`", fmt.Sprintf("\tbasic_auth {\n\t\talice %s\n\t}\n", hash), basic, request("Authorization: Basic YTpi"), false},
		{"`require_auth`, API key", "\trequire_auth partners\n", key, request("X-API-Key: a"), false},
		{"Caddy's matcher `header`", "\t@denied not header X-API-Key " + apiKey + "\n\terror @denied 401\n", key, request("X-API-Key: a"), false},
	} {
		denies := map[int][][]byte{401: {request(), gate.wrong}}
		all = append(all, row{name: gate.name + ", the same credential", bare: ok, gated: gate.lines + ok, status: 200, requests: gate.requests, denies: denies})
		if gate.fresh {
			all = append(all, row{name: gate.name + ", every token new", bare: ok, gated: gate.lines + ok, status: 200, fresh: s.everyTokenNew, denies: denies})
		}
	}
	return all, nil
}
