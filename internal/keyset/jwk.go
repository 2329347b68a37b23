package keyset

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Bounds of the reasons for skipped keys.
const (
	maxReasons     = 8
	maxReasonBytes = 200
)

var (
	// publicMembers are the members of a JWK that make up its key. The JWK library gets
	// no other ones, so that an unusual `x5c` or an unknown operation does not
	// invalidate a good key.
	publicMembers = []string{"kty", "crv", "x", "y", "n", "e"}
	// privateMembers must never be published (RFC 7518 §6.2.2, §6.3.2 and §6.4.1).
	privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
)

// parseJWKs reads a JWK Set (RFC 7517 §5), a single JWK (§4) or certificates by key ID.
func parseJWKs(data []byte) (*Set, error) {
	document, err := parseMembers(data)
	if err != nil {
		return nil, err
	}
	var entries []json.RawMessage
	if list, found := document["keys"]; found {
		if err := json.Unmarshal(list, &entries); err != nil {
			return nil, errors.New("the member keys of a JWK Set is a list")
		}
	} else if _, found := document["kty"]; found {
		entries = append(entries, data)
	} else if entries, err = certificatesIn(document); err != nil {
		return nil, err
	}
	if len(entries) > maxKeys {
		return nil, fmt.Errorf("a JWK Set may have %d keys, not %d", maxKeys, len(entries))
	}
	return readJWKs(entries)
}

// certificatesIn returns JWKs for an object of PEM certificates by key ID.
func certificatesIn(document members) ([]json.RawMessage, error) {
	var entries []json.RawMessage
	for _, id := range slices.Sorted(maps.Keys(document)) {
		text, err := document.text(id)
		block, rest := pem.Decode([]byte(text))
		if err != nil || block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, errors.New("neither a JWK Set, which has keys, nor a JWK, which has kty, nor one PEM certificate for each key ID")
		}
		entry, err := json.Marshal(map[string]any{"kid": id, "x5c": [][]byte{block.Bytes}})
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// readJWKs reads the usable keys. It fails only without any.
func readJWKs(entries []json.RawMessage) (*Set, error) {
	if len(entries) == 0 {
		return nil, errors.New("the JWK Set is empty")
	}
	var keys []*Key
	var skipped []string
	reasons := make(map[string]string)
	for position, entry := range entries {
		key, id, err := readJWK(entry)
		if err != nil {
			reason := shorten(fmt.Sprintf("key %d: %v", position+1, err))
			skipped = append(skipped, reason)
			if id != "" && reasons[id] == "" {
				reasons[id] = reason
			}
			continue
		}
		keys = append(keys, key)
	}
	if more := len(skipped) - maxReasons; more > 0 {
		skipped = append(skipped[:maxReasons], fmt.Sprintf("and %d more", more))
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no usable key: %s", strings.Join(skipped, "; "))
	}
	set := newSet(keys, skipped)
	set.reasons = reasons
	return set, nil
}

// readJWK reads one key and its ID, or returns why it cannot verify tokens.
func readJWK(data []byte) (key *Key, id string, err error) {
	entry, err := parseMembers(data)
	if err != nil {
		return nil, "", err
	}
	if id, err = entry.text("kid"); err != nil {
		return nil, "", err
	}
	if key, err = keyIn(entry, id); err != nil {
		return nil, id, fmt.Errorf("kid %.64q: %w", id, err)
	}
	return key, id, nil
}

// keyIn reads the key of an entry whose ID is known already.
func keyIn(entry members, id string) (*Key, error) {
	if err := checkPurpose(entry); err != nil {
		return nil, err
	}
	alg, err := entry.text("alg")
	if err != nil {
		return nil, err
	}
	read := publicKeyIn
	if _, hasKey := entry.first("n", "e", "x", "y"); !hasKey && entry["x5c"] != nil {
		read = certifiedKeyIn
	}
	public, err := read(entry)
	if err != nil {
		return nil, err
	}
	key, err := newKey(id, alg, public)
	if err != nil {
		return nil, err
	}
	key.Issuer, err = entry.text("issuer")
	return key, err
}

// certifiedKeyIn reads the key of the first certificate (RFC 7517 §4.7), as CAS
// publishes it. Neither its dates nor its chain are checked: the document is the
// authority for the key.
func certifiedKeyIn(entry members) (any, error) {
	var chain [][]byte // base64, and not base64url
	if err := json.Unmarshal(entry["x5c"], &chain); err != nil || len(chain) == 0 {
		return nil, errors.New("x5c is not a list of certificates")
	}
	certificate, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("x5c: %w", err)
	}
	kty, err := entry.text("kty")
	if err != nil {
		return nil, err
	}
	if has := (&Key{Public: certificate.PublicKey}).Type(); kty != "" && kty != has {
		return nil, fmt.Errorf("kty is %.32q, and the key in x5c is %s", kty, has)
	}
	return certificate.PublicKey, nil
}

// checkPurpose refuses keys for anything but verifying signatures (RFC 7517 §4.2 and
// §4.3). It also refuses keys published with their secret, because they are
// compromised.
func checkPurpose(entry members) error {
	if kty, _ := entry.text("kty"); kty == "oct" {
		return errors.New("a symmetric key in a document of public keys")
	}
	if name, found := entry.first(privateMembers...); found {
		return fmt.Errorf("the private member %s is published with it", name)
	}
	use, err := entry.text("use")
	if err != nil {
		return err
	}
	if use != "" && use != "sig" {
		return fmt.Errorf("its use is %.32q, not sig", use)
	}
	if list, found := entry["key_ops"]; found {
		var operations []string
		if err := json.Unmarshal(list, &operations); err != nil || !slices.Contains(operations, "verify") {
			return errors.New("its key_ops do not include verify")
		}
	}
	return nil
}

// publicKeyIn gives the public members to the JWK library.
func publicKeyIn(entry members) (any, error) {
	public := make(members, len(publicMembers))
	for _, name := range publicMembers {
		if value, found := entry[name]; found {
			public[name] = value
		}
	}
	data, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	parsed, err := jwk.ParseKey(data)
	if err != nil {
		return nil, err
	}
	// The library would silently truncate a large exponent, and verify with another key
	// than the published one.
	if key, isRSA := parsed.(jwk.RSAPublicKey); isRSA && len(bytes.TrimLeft(key.E(), "\x00")) > 4 {
		return nil, errors.New("the exponent of an RSA key is too large")
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// shorten bounds a reason, because the provider writes most of it.
func shorten(reason string) string {
	if len(reason) <= maxReasonBytes {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReasonBytes], "") + "…"
}
