package clientcert

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Field is a name in a certificate.
type Field string

// The fields.
const (
	Subject    Field = "subject"
	CommonName Field = "common_name"
	SANDNS     Field = "san_dns"
	SANURI     Field = "san_uri"
	SANEmail   Field = "san_email"
	Issuer     Field = "issuer"
)

var (
	userFields = []Field{Subject, CommonName, SANDNS, SANURI, SANEmail}
	fields     = append(slices.Clip(userFields), Issuer)
)

// checkUser refuses fields that do not name the caller. Empty is the default.
func (f Field) checkUser() error {
	if f != "" && !slices.Contains(userFields, f) {
		return fmt.Errorf("user_from %q: write %s", f, joinFields(userFields))
	}
	return nil
}

func joinFields(fields []Field) string {
	var text strings.Builder
	for i, field := range fields {
		switch i {
		case 0:
		case len(fields) - 1:
			text.WriteString(" or ")
		default:
			text.WriteString(", ")
		}
		text.WriteString(string(field))
	}
	return text.String()
}

// isList reports whether a certificate may have several values of the field.
func (f Field) isList() bool { return f == SANDNS || f == SANURI || f == SANEmail }

// isDistinguished reports whether the field is a distinguished name: attributes
// separated by commas.
func (f Field) isDistinguished() bool { return f == Subject || f == Issuer }

// names are the names in a certificate. A missing field has no values.
type names map[Field][]string

// namesOf reads the names in a certificate and refuses ambiguous ones.
func namesOf(cert *x509.Certificate) (names, error) {
	if err := checkSubject(cert); err != nil {
		return nil, err
	}
	found := names{
		Subject:    present(cert.Subject.String()),
		CommonName: present(cert.Subject.CommonName),
		SANDNS:     cert.DNSNames,
		SANEmail:   cert.EmailAddresses,
		Issuer:     present(cert.Issuer.String()),
	}
	for _, uri := range cert.URIs {
		found[SANURI] = append(found[SANURI], uri.String())
	}
	for _, field := range fields {
		for _, value := range found[field] {
			if strings.ContainsFunc(value, unicode.IsControl) {
				return nil, fmt.Errorf("the %s of the certificate holds a control character", field)
			}
		}
	}
	return found, nil
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// checkSubject refuses a second common name or serial number. Go keeps the last of
// each, so two subjects would become one caller.
func checkSubject(cert *x509.Certificate) error {
	var common, serial int
	for _, attribute := range cert.Subject.Names {
		switch {
		case attribute.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}):
			common++
		case attribute.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 5}):
			serial++
		}
	}
	if common > 1 || serial > 1 {
		return errors.New("the subject of the certificate has two common names or two serial numbers")
	}
	return nil
}

// claimsOf returns the claims of a certificate.
func claimsOf(cert *x509.Certificate, found names) map[string]any {
	claims := map[string]any{
		"serial":    cert.SerialNumber.Text(16),
		"not_after": cert.NotAfter.Unix(),
		"sha256":    hexOf(cert),
	}
	for field, values := range found {
		switch {
		case len(values) == 0:
		case field.isList():
			list := make([]any, len(values))
			for i, value := range values {
				list[i] = value
			}
			claims[string(field)] = list
		default:
			claims[string(field)] = values[0]
		}
	}
	return claims
}
