package bearer

import (
	"maps"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// verifiers are jwx's signature checks by JWA name. They work on a signing
// input that was already split and checked, so jwx parses nothing of a
// stranger's. Whatever is not here, `none` above all, does not exist.
var verifiers = func() map[string]jws.Verifier {
	all := make(map[string]jws.Verifier)
	for _, algorithm := range []jwa.SignatureAlgorithm{
		jwa.RS256, jwa.RS384, jwa.RS512, jwa.PS256, jwa.PS384, jwa.PS512,
		jwa.ES256, jwa.ES384, jwa.ES512, jwa.EdDSA, jwa.HS256, jwa.HS384, jwa.HS512,
	} {
		verifier, err := jws.NewVerifier(algorithm)
		if err != nil {
			panic(err) // at start, and only if jwx drops an algorithm
		}
		all[algorithm.String()] = verifier
	}
	all["Ed25519"] = all[jwa.EdDSA.String()] // the name of RFC 9864
	return all
}()

func algorithmNames() []string {
	return slices.Sorted(maps.Keys(verifiers))
}
