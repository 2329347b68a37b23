package redis

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store redis <address>... {
//		sentinel <master> {
//			user     <name>
//			password <secret>
//		}
//		cluster
//		user        <name>
//		password    <secret>
//		ca_file     <path>
//		client_cert <certificate file> <key file>
//		server_name <name>
//		timeout     <duration>
//		prefix      <text>
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	start := block.Here(d)
	var err error
	if r.Addresses, err = block.List(d); err != nil {
		return err
	}
	if slices.Contains(r.Addresses, "") {
		return d.Err("an address is empty: leave it out")
	}
	var certificates TLS
	err = block.Read(d, block.Lines{
		"sentinel":    block.Once(r.readSentinel),
		"cluster":     block.Flag(&r.Cluster),
		"user":        block.String(&r.User),
		"password":    block.Secret(&r.Password),
		"ca_file":     block.String(&certificates.CAFile),
		"client_cert": block.Once(certificates.readClientCert),
		"server_name": block.String(&certificates.ServerName),
		"timeout":     block.Once(r.readTimeout),
		"prefix":      block.String(&r.Prefix),
	})
	if err != nil {
		return err
	}
	if certificates != (TLS{}) {
		r.TLS = &certificates
	}
	return start.Wrap(r.check())
}

func (r *Redis) readSentinel(d *caddyfile.Dispenser) error {
	r.Sentinel = new(Sentinel)
	if !d.AllArgs(&r.Sentinel.Master) {
		return d.Err("write `sentinel <name of the master>`")
	}
	return block.Read(d, block.Lines{
		"user":     block.String(&r.Sentinel.User),
		"password": block.Secret(&r.Sentinel.Password),
	})
}

func (t *TLS) readClientCert(d *caddyfile.Dispenser) error {
	if !d.AllArgs(&t.ClientCert, &t.ClientKey) {
		return d.Err("write `client_cert <certificate file> <key file>`")
	}
	return nil
}

func (r *Redis) readTimeout(d *caddyfile.Dispenser) error {
	if err := block.Duration(&r.Timeout)(d); err != nil {
		return err
	}
	if r.Timeout == 0 {
		return d.Err("timeout 0 cannot be met: write for example 250ms")
	}
	return nil
}
