package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// measureMemory prints the memory of tokens: live heap after a collection, memory of
// the process, and memory without files such as the program.
func measureMemory(out io.Writer, folder string, keys *signers) error {
	global, err := configuration(keys)
	if err != nil {
		return err
	}
	s, err := start("", folder, "memory", global, map[string]string{"site": "\trequire_auth corp\n" + ok})
	if err != nil {
		return err
	}
	defer s.stop()
	pool, err := dial(open1, s.address("site"))
	if err != nil {
		return err
	}
	defer pool.close()
	const part, mib = 50_000, 1 << 20
	tableHead(out, "memory", "bound", "resident", "without files", "live heap")
	state := func(name, bound string, u usage) {
		tableLine(out, name, bound, fmt.Sprintf("%d MiB", u.resident/mib), fmt.Sprintf("%d MiB", u.anonymous/mib), fmt.Sprintf("%d MiB", u.heap/mib))
	}
	u, err := s.used("collect")
	if err != nil {
		return err
	}
	state("at the start", "", u)
	for number := part; number <= 10*part; number += part {
		if err := sendGood(pool, keys.tokens(jwa.EdDSA, 10_000_000+number, part)); err != nil {
			return err
		}
		if number == 2*part {
			if u, err = s.used("collect"); err != nil {
				return err
			}
			state("100,000 tokens", "≤ 110 MiB", u)
		}
	}
	before, err := s.used("collect")
	if err != nil {
		return err
	}
	state("500,000 tokens in turn", "≤ 110 MiB", before)
	if err := sendForged(pool, keys.token(jwa.EdDSA, 1), part); err != nil {
		return err
	}
	if u, err = s.used("collect"); err != nil {
		return err
	}
	state("1,000,000 bad tokens more", "", u)
	later, waited, err := s.settle(u, before.resident)
	if err != nil {
		return err
	}
	state(fmt.Sprintf("%d s later", waited), fmt.Sprintf("≤ %d MiB", before.resident/mib), later)
	return nil
}

// sendGood sends each token once.
func sendGood(pool *clients, tokens []string) error {
	var requests [][]byte
	for _, token := range tokens {
		requests = append(requests, bearer(token))
	}
	_, _, err := pool.send(load{requests: requests, status: 200})
	return err
}

// settle waits a minute at most until the process holds no more than before, because Go
// gives memory back to the system in the background. It returns the seconds.
func (s *server) settle(u usage, before int64) (usage, int, error) {
	waited := 0
	for ; u.resident > before && waited < 60; waited++ {
		time.Sleep(time.Second)
		now, err := s.used("now")
		if err != nil {
			return u, waited, err
		}
		now.heap = u.heap
		u = now
	}
	return u, waited, nil
}

// sendForged sends a token with a million invalid signatures, in parts.
func sendForged(pool *clients, token string, part int) error {
	prefix, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+9:]
	for number := 0; number < 1_000_000; number += part {
		requests := make([][]byte, part)
		for i := range requests {
			requests[i] = bearer(fmt.Sprintf("%s%08d%s", prefix, number+i, signature))
		}
		if _, _, err := pool.send(load{requests: requests, status: 401}); err != nil {
			return err
		}
	}
	return nil
}
