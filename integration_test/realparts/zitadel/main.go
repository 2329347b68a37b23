// Command zitadel is an OpenID provider made with github.com/zitadel/oidc, a second
// maker of tokens beside the provider for Node.js. The storage is the example of that
// library; two clients act for themselves.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// resource is the API that the tokens are for. The client `api` may introspect them.
const resource = "https://api.example.com"

func main() {
	address := "localhost:" + os.Args[1]
	storage.RegisterClients(storage.WebClient("api", "secret"))
	users := storage.NewUserStore("http://" + address)
	handler := exampleop.SetupServer("http://"+address, provider{storage.NewStorage(users)}, slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	listener, err := net.Listen("tcp", address)
	if err == nil {
		_, _ = os.Stdout.WriteString("ready\n")
		err = http.Serve(listener, handler)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// provider has the client `jwt` beside the client `sid1` of the example, whose tokens
// are opaque.
type provider struct{ *storage.Storage }

func (p provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if id != "jwt" {
		return p.Storage.ClientCredentials(ctx, id, secret)
	}
	client, err := p.Storage.ClientCredentials(ctx, "sid1", secret)
	return signing{client}, err
}

func (provider) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: "id1", Audience: []string{"api", resource}, Scopes: scopes}, nil
}

// SetIntrospectionFromToken adds the audience, as the server of Zitadel does.
func (p provider) SetIntrospectionFromToken(ctx context.Context, answer *oidc.IntrospectionResponse, token, subject, client string) error {
	answer.Audience = oidc.Audience{"api", resource}
	return p.Storage.SetIntrospectionFromToken(ctx, answer, token, subject, client)
}

// signing is a client whose tokens are signed.
type signing struct{ op.Client }

func (signing) GetID() string                       { return "jwt" }
func (signing) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
