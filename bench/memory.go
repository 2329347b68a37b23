package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// measureMemory prints what tokens cost in memory: live heap after a
// collection, and what the process holds.
func measureMemory(out io.Writer, folder string, keys *signers) error {
	global, err := configuration(keys)
	if err != nil {
		return err
	}
	s, err := start(folder, "memory", global, map[string]string{"site": "\trequire_auth corp\n" + ok})
	if err != nil {
		return err
	}
	defer s.stop()
	const (
		part = 50_000
		mib  = 1 << 20
	)
	state := func(name, target string) error {
		_, heap, resident, err := s.used("collect")
		fmt.Fprintf(out, "%s\tlive heap, resident\t%s\t%d MiB, %d MiB\t\t\n", name, target, heap/mib, resident/mib)
		return err
	}
	send := func(requests [][]byte, status int) error {
		_, _, err := load{requests: requests, status: status}.against(s.address("site"))
		return err
	}
	if err := state("memory: at start", ""); err != nil {
		return err
	}
	for number := part; number <= 10*part; number += part {
		var requests [][]byte
		for _, token := range keys.tokens(jwa.EdDSA, 10_000_000+number, part) {
			requests = append(requests, bearer(token))
		}
		if err := send(requests, 200); err != nil {
			return err
		}
		if number == 2*part {
			if err := state("memory: 100,000 tokens", "< 150 MiB"); err != nil {
				return err
			}
		}
	}
	if err := state("memory: 500,000 tokens in turn", "< 150 MiB"); err != nil {
		return err
	}
	token := keys.token(jwa.EdDSA, 1)
	kept, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+9:]
	for number := 0; number < 1_000_000; number += part {
		requests := make([][]byte, part)
		for i := range requests {
			requests[i] = bearer(fmt.Sprintf("%s%08d%s", kept, number+i, signature))
		}
		if err := send(requests, 401); err != nil {
			return err
		}
	}
	return state("memory: 1,000,000 bad tokens more", "flat")
}
