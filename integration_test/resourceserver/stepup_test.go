package resourceserver

import (
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const stepUp = `
{
	auth {
		realm api
		bearer corp {` + harness.BearerLines + `}
		basic ops {
			user bob $2a$04$jwM5lZ8LESgzCHsJHpHRpunP4FSTjydsHuTGg6M5dqvoYgczgCBpu
		}
	}
}
http://localhost:8080 {
	require_auth /pay corp {
		scope pay
		acr gold silver
		max_age 5m
	}
	require_auth /any corp ops {
		acr gold
	}
	respond ok
}
`

func TestStepUp(t *testing.T) {
	s := harness.Start(t, stepUp)
	now := time.Now().Unix()
	const challenge = `Bearer realm="api", error="insufficient_user_authentication", scope="pay", ` +
		`acr_values="gold silver", max_age="300", error_description="A more recent or a stronger login is required"`
	t.Run("R9470-1 R9470-2: a weak login is 401 with what is asked", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"scope": "pay", "acr": "bronze", "auth_time": now})
		s.Get("/pay", harness.Bearer(token)).Want(401, "insufficient_user_authentication", challenge)
	})
	t.Run("R9470-3: an old login is 401 with max_age", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"scope": "pay", "acr": "gold", "auth_time": now - 3600})
		s.Get("/pay", harness.Bearer(token)).Want(401, "insufficient_user_authentication", challenge)
	})
	t.Run("R9470-4: with too little scope too, one challenge says both", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"acr": "bronze", "auth_time": now})
		s.Get("/pay", harness.Bearer(token)).Want(401, "insufficient_user_authentication", challenge)
	})
	t.Run("R9470-5: who is not known learns nothing of it", func(t *testing.T) {
		s.Get("/pay").Want(401, "missing_credentials", `Bearer realm="api", scope="pay"`)
		s.Get("/pay", harness.Bearer("bad")).Want(401, "invalid_token",
			`Bearer realm="api", error="invalid_token", scope="pay", error_description="The access token is invalid"`)
	})
	t.Run("a fresh and strong login passes", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"scope": "pay", "acr": "silver", "auth_time": now - 10})
		s.Get("/pay", harness.Bearer(token)).Want(200, "")
	})
	t.Run("then the scope counts", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"acr": "silver", "auth_time": now})
		s.Get("/pay", harness.Bearer(token)).Want(403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="pay", error_description="The access token lacks a required scope"`)
	})
	t.Run("the login is asked of the scheme that was used", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"acr": "bronze"})
		s.Get("/any", harness.Bearer(token)).Want(401, "insufficient_user_authentication",
			`Bearer realm="api", error="insufficient_user_authentication", acr_values="gold", error_description="A more recent or a stronger login is required"`,
			`Basic realm="api", charset="UTF-8"`)
	})
}
