package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// row is a line of the table: what one server does against what the other one
// does with the same requests.
type row struct {
	name      string
	bare      string // lines of the site to compare with
	gated     string
	requests  [][]byte // what is sent
	status    int      // of the answers
	target    string
	targetCPU string

	fresh func(round int) [][]byte // requests of a round, instead, each sent once
}

const ok = "\trespond ok\n"

// configuration is the global options of a server with the schemes.
func configuration(keys *signers) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(apiKey))
	return fmt.Sprintf(`	auth {
		bearer corp {
			issuer %s
			audience %s
			key_file %s
		}
		basic ops {
			user alice %s
		}
		api_key partners {
			key partner-a sha256:%s
		}
	}
`, issuer, audience, keys.file, hash, hex.EncodeToString(digest[:])), nil
}

func rows(o options, keys *signers) []row {
	gate := func(scheme string) string { return "\trequire_auth " + scheme + "\n" + ok }
	var all []row
	for _, algorithm := range algorithms {
		all = append(all, row{
			name: "one warm token, " + algorithm.String(), bare: ok, gated: gate("corp"), status: 200,
			requests: [][]byte{bearer(keys.token(algorithm, 1))}, target: "≥ 0.97", targetCPU: "≤ 1.04",
		})
	}
	var many [][]byte
	for _, token := range keys.tokens(jwa.ES256, 0, o.many) {
		many = append(many, bearer(token))
	}
	return append(all,
		row{name: "many tokens in turn, warm", bare: ok, gated: gate("corp"), status: 200, requests: many, target: "≥ 0.95"},
		row{name: "API key", bare: ok, gated: gate("partners"), status: 200, requests: [][]byte{request("X-API-Key: " + apiKey)}, target: "≥ 0.97"},
		row{
			name: "Basic, warm", bare: ok, gated: gate("ops"), status: 200, target: "≥ 0.97",
			requests: [][]byte{request("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password)))},
		},
		row{
			name: "every token new, RS256, against jwt.Parse", bare: "\tbench_peer * " + keys.file + "\n" + ok, gated: gate("corp"), status: 200, target: "≥ 2",
			fresh: func(number int) [][]byte {
				var all [][]byte
				for _, token := range keys.tokens(jwa.RS256, 1_000_000+number*o.fresh, o.fresh) {
					all = append(all, bearer(token))
				}
				return all
			},
		},
		row{
			name: "401, against Caddy's error 401", gated: gate("corp"), status: 401, target: "≥ 1", requests: [][]byte{request()},
			bare: "\terror 401\n\thandle_errors {\n\t\trespond " + strings.Repeat("x", 167) + "\n\t}\n",
		},
	)
}

// measureServers prints the rows that compare servers.
func measureServers(out io.Writer, o options, folder string, keys *signers) error {
	global, err := configuration(keys)
	if err != nil {
		return err
	}
	all := slices.DeleteFunc(rows(o, keys), func(r row) bool { return !strings.Contains(r.name, o.only) })
	bare, gated := make(map[string]string), make(map[string]string)
	for _, r := range all {
		bare[r.name], gated[r.name] = r.bare, r.gated
	}
	without, err := start(folder, "bare", "", bare)
	if err != nil {
		return err
	}
	defer without.stop()
	with, err := start(folder, "gated", global, gated)
	if err != nil {
		return err
	}
	defer with.stop()
	for _, r := range all {
		if err := r.measure(out, o, without, with); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// sample is one run: requests a second, and processor time for each in µs.
type sample struct{ rate, cpu float64 }

func (r row) measure(out io.Writer, o options, without, with *server) error {
	var rates, costs []float64
	for pair := -1; pair < o.pairs; pair++ { // the first pair warms up
		job := load{requests: r.requests, time: o.time, status: r.status}
		if r.fresh != nil {
			job = load{requests: r.fresh(pair + 1), status: r.status}
		}
		order := []*server{without, with}
		if pair%2 == 0 {
			slices.Reverse(order)
		}
		samples := make(map[*server]sample)
		for _, s := range order {
			taken, err := run1(job, s, r.name)
			if err != nil {
				return err
			}
			samples[s] = taken
		}
		if pair >= 0 {
			rates = append(rates, samples[with].rate/samples[without].rate)
			costs = append(costs, samples[with].cpu/samples[without].cpu)
		}
	}
	line := func(figure, target string, ratios []float64) {
		slices.Sort(ratios)
		fmt.Fprintf(out, "%s\t%s\t%s\t%.2f\t%.2f to %.2f\t\n", r.name, figure, target, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
	line("requests a second", r.target, rates)
	line("CPU a request", r.targetCPU, costs)
	return nil
}

func run1(job load, s *server, site string) (sample, error) {
	before, _, _, err := s.used("cpu")
	if err != nil {
		return sample{}, err
	}
	answered, took, err := job.against(s.address(site))
	if err != nil {
		return sample{}, err
	}
	after, _, _, err := s.used("cpu")
	return sample{rate: float64(answered) / took.Seconds(), cpu: float64(after-before) / float64(answered)}, err
}
