package keyset

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// curveParameters is the type of a block that OpenSSL writes before an EC key. The key
// names its curve itself.
const curveParameters = "EC PARAMETERS"

// parsePEM reads every block of a PEM file. Text around the blocks is allowed, as
// OpenSSL writes it. A block that cannot be decoded is an error.
func parsePEM(data []byte) (*Set, error) {
	blocks := bytes.Count(data, pemMarker)
	if blocks > maxKeys {
		return nil, fmt.Errorf("a PEM file may have %d blocks, not %d", maxKeys, blocks)
	}
	var keys []*Key
	decoded := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		decoded++
		if block.Type == curveParameters {
			continue
		}
		key, err := readPEMBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", decoded, err)
		}
		keys = append(keys, key)
	}
	switch {
	case decoded != blocks:
		return nil, fmt.Errorf("only %d of %d PEM blocks can be decoded", decoded, blocks)
	case len(keys) == 0:
		return nil, errors.New("the PEM file has no key")
	}
	return newSet(keys, nil), nil
}

func readPEMBlock(block *pem.Block) (*Key, error) {
	public, err := publicKeyOf(block)
	if err != nil {
		return nil, err
	}
	return newKey("", "", public)
}

func publicKeyOf(block *pem.Block) (any, error) {
	switch {
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("a private key has no place here: configure the public key instead, and keep the private one where tokens are signed")
	default:
		return nil, fmt.Errorf("invalid type %.32q: expected PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE", block.Type)
	}
}
