package capability

// FormReader is implemented by schemes that share a field with schemes whose
// credentials have another form. If a gate finds one credential for several schemes,
// only those that read its form verify it.
type FormReader interface {
	// ReadsForm reports whether the scheme reads a credential. The form jws is that
	// of a compact JWS.
	ReadsForm(jws bool) bool
}

// IsJWS reports whether a credential has the form of a compact JWS: three parts in
// base64url.
func IsJWS(credential string) bool {
	dots := 0
	for i := range len(credential) {
		switch c := credential[i]; {
		case c == '.':
			if i == 0 || i == len(credential)-1 || credential[i-1] == '.' {
				return false
			}
			dots++
		case c == '-', c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			return false
		}
	}
	return dots == 2
}
