package capability

import (
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// Rechecker is implemented by schemes that can say later whether they still accept a
// credential, so that a response does not outlive it.
type Rechecker interface {
	// Generation changes when the scheme may no longer accept a credential. Schemes of one
	// kind have the same generation only if they accept the same credentials.
	Generation() uint64

	// Recheck checks a credential that the scheme, or one of the same name in an earlier
	// configuration, has accepted. It returns when the credential ends, zero for never, or
	// why the scheme no longer accepts it. It makes no network request and hashes no
	// password.
	Recheck(authn.Credential, *authn.Identity) (ends time.Time, err error)
}
