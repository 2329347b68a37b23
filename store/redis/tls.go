package redis

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// TLS configures the certificates of a connection. Files are read at load.
type TLS struct {
	// A PEM file of the authorities that may issue the certificate of Redis. Default:
	// the authorities of the system.
	CAFile string `json:"ca_file,omitempty"`

	// A PEM file with the certificate of this client. It needs `client_key`.
	// Default: no client certificate.
	ClientCert string `json:"client_cert,omitempty"`

	// A PEM file with the private key of `client_cert`.
	ClientKey string `json:"client_key,omitempty"`

	// The name in the certificate of Redis. Default: the host of the address.
	ServerName string `json:"server_name,omitempty"`
}

// load reads the files. It also returns the values that identify the result.
func (t *TLS) load() (*tls.Config, []string, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return config, nil, nil
	}
	config.ServerName = t.ServerName
	var authorities, certificate, key []byte
	for _, file := range []struct {
		path    string
		content *[]byte
	}{{t.CAFile, &authorities}, {t.ClientCert, &certificate}, {t.ClientKey, &key}} {
		if file.path == "" {
			continue
		}
		content, err := textfile.Read(file.path)
		if err != nil {
			return nil, nil, err
		}
		*file.content = content
	}
	if t.CAFile != "" {
		certs, err := textfile.Certificates(authorities)
		if err != nil {
			return nil, nil, fmt.Errorf("ca_file %s: %w", t.CAFile, err)
		}
		config.RootCAs = x509.NewCertPool()
		for _, cert := range certs {
			config.RootCAs.AddCert(cert)
		}
	}
	if t.ClientCert != "" {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, nil, fmt.Errorf("client_cert %s: %w", t.ClientCert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, []string{t.ServerName, string(authorities), string(certificate), string(key)}, nil
}
