package redis

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/store"
)

const (
	defaultTimeout = 250 * time.Millisecond
	maxTimeout     = 10 * time.Second
	defaultPrefix  = "caddy-auth"

	redisPort    = "6379"
	sentinelPort = "26379"
)

// goodPrefix excludes braces, which are hash tags in a cluster.
var goodPrefix = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// check validates the configuration. Addresses with placeholders are validated after
// the replacement.
func (r *Redis) check() error {
	switch {
	case len(r.Addresses) == 0:
		return errors.New("no address of Redis: write `store redis redis://127.0.0.1:6379/0`")
	case r.Sentinel != nil && r.Cluster:
		return errors.New("sentinel beside cluster: keep one")
	case len(r.Addresses) > 1 && r.Sentinel == nil && !r.Cluster:
		return errors.New("several addresses need a line `sentinel <master>` or `cluster`")
	case r.Sentinel != nil && r.Sentinel.Master == "":
		return errors.New("sentinel without the name of the master")
	case r.Timeout < 0 || time.Duration(r.Timeout) > maxTimeout:
		return fmt.Errorf("invalid timeout: write at most %s, because requests wait so long", maxTimeout)
	case r.Prefix != "" && !goodPrefix.MatchString(r.Prefix):
		return errors.New("invalid prefix: write up to 64 letters, digits and _ . : / -")
	case r.TLS != nil && (r.TLS.ClientCert == "") != (r.TLS.ClientKey == ""):
		return errors.New("client_cert needs a certificate file and a key file")
	case slices.ContainsFunc(r.Addresses, block.HasPlaceholder):
		return nil
	}
	_, _, err := r.address()
	return err
}

// address reads the addresses, and the user and password of their own members.
func (r *Redis) address() (address, []string, error) {
	port := redisPort
	if r.Sentinel != nil {
		port = sentinelPort
	}
	first, dials, err := parseAddresses(r.Addresses, port)
	switch {
	case err != nil:
		return first, nil, err
	case r.User != "" && first.user != "", r.Password != "" && first.password != "":
		return first, nil, errors.New("the user or the password is written in the address and in a line: keep one")
	case r.Cluster && first.database != 0:
		return first, nil, errors.New("a cluster has no databases: leave the database out of the address")
	case r.TLS != nil && !first.tls:
		return first, nil, errors.New("certificates without TLS: write the address with rediss://")
	}
	first.user, first.password = cmp.Or(r.User, first.user), cmp.Or(r.Password, first.password)
	if first.user != "" && first.password == "" {
		return first, nil, errors.New("a user without a password: write both")
	}
	return first, dials, nil
}

// settings are a configuration after the replacement of placeholders and the reading
// of files.
type settings struct {
	options redis.UniversalOptions
	timeout time.Duration
	prefix  string
	secrets []string
	digest  string // of all of this, secrets included
	group   string // names the server and the prefix
}

func (r *Redis) settings(replacer *caddy.Replacer) (settings, error) {
	read, err := r.replacePlaceholders(replacer)
	if err != nil {
		return settings{}, err
	}
	if err := read.check(); err != nil {
		return settings{}, err
	}
	first, dials, err := read.address()
	if err != nil {
		return settings{}, err
	}
	s := settings{
		timeout: cmp.Or(time.Duration(read.Timeout), defaultTimeout),
		prefix:  cmp.Or(read.Prefix, defaultPrefix),
		secrets: []string{first.password},
		options: redis.UniversalOptions{
			Addrs: dials, DB: first.database, IsClusterMode: read.Cluster,
			Username: first.user, Password: first.password,
		},
	}
	if read.Sentinel != nil {
		s.options.MasterName = read.Sentinel.Master
		s.options.SentinelUsername, s.options.SentinelPassword = read.Sentinel.User, read.Sentinel.Password
		s.secrets = append(s.secrets, read.Sentinel.Password)
	}
	var identity []string
	if first.tls {
		if s.options.TLSConfig, identity, err = read.TLS.load(); err != nil {
			return settings{}, err
		}
	}
	s.digest = s.identify(first.tls, identity)
	group := store.KeyOf("redis group", slices.Concat([]string{s.prefix, s.options.MasterName, strconv.Itoa(first.database)}, slices.Sorted(slices.Values(dials)))...)
	s.group = hex.EncodeToString(group[:])
	return s, nil
}

// identify returns a digest of all settings.
func (s settings) identify(tls bool, certificates []string) string {
	o := s.options
	parts := []string{
		strconv.Itoa(o.DB), strconv.FormatBool(o.IsClusterMode), o.Username, o.Password,
		o.MasterName, o.SentinelUsername, o.SentinelPassword, s.timeout.String(), s.prefix,
		strconv.FormatBool(tls), strconv.Itoa(len(certificates)),
	}
	identity := store.KeyOf("redis", slices.Concat(parts, certificates, o.Addrs)...)
	return hex.EncodeToString(identity[:])
}

// replacePlaceholders returns the configuration with its placeholders replaced.
func (r *Redis) replacePlaceholders(replacer *caddy.Replacer) (Redis, error) {
	read := *r
	read.Addresses = slices.Clone(r.Addresses)
	values := block.Values{"user": &read.User, "password": &read.Password}
	values.AddList("address", read.Addresses)
	if r.Sentinel != nil {
		sentinel := *r.Sentinel
		read.Sentinel = &sentinel
		values["sentinel user"], values["sentinel password"] = &sentinel.User, &sentinel.Password
	}
	return read, values.Replace(replacer)
}
