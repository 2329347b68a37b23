// An authorization server: oidc-provider, on the port and with the keys of its
// environment. It approves every interaction as alice.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { PORT, KEYS, ISSUER, RESOURCE, CALLBACK } = process.env;
const api = 'https://api.example.com';
const scopes = 'orders:read mcp:use mcp:delete mcp:admin';

const client = (id, more) => ({
  client_id: id, client_secret: `${id}-secret-of-some-length`, grant_types: ['client_credentials'],
  redirect_uris: [], response_types: [], scope: scopes, ...more,
});

const provider = new Provider(ISSUER, {
  jwks: JSON.parse(readFileSync(KEYS, 'utf8')),
  clients: [
    client('robot'),
    client('sealed', { dpop_bound_access_tokens: true }),
    client('carded', { tls_client_certificate_bound_access_tokens: true }),
    client('gateway'),
    // The client of a gate with a facade.
    ...(CALLBACK ? [client('facade', { grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [CALLBACK], response_types: ['code'], token_endpoint_auth_method: 'client_secret_post' })] : []),
  ],
  scopes: [...scopes.split(' '), 'offline_access'],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: ['a key for the cookies of tests'] },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  enabledJWA: { dPoPSigningAlgValues: ['ES256', 'EdDSA'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, asking) => asking.clientId === 'gateway' },
    revocation: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: !CALLBACK },
    dPoP: { enabled: true },
    // The certificate comes in a field, because this server speaks plain HTTP.
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => ctx.get('x-certificate') && `-----BEGIN CERTIFICATE-----\n${ctx.get('x-certificate')}\n-----END CERTIFICATE-----`,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => api,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: scopes, audience: resource.endsWith('/opaque') ? api : resource, accessTokenTTL: 600,
        accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt', jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
});

// approve ends an interaction: alice is logged in, and agrees to everything.
async function approve(request, response) {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'alice' } });
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: 'alice', clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? '');
  grant.addResourceScope(params.resource ?? RESOURCE ?? api, params.scope ?? '');
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

// register lets clients ask for any scope later on: those that register with
// the first one they hear of could never step up.
async function register(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { scope, ...metadata } = JSON.parse(Buffer.concat(chunks));
  request.body = metadata;
  return serve(request, response);
}

const serve = provider.callback();
const handlers = { interaction: approve, reg: register };
createServer((request, response) => {
  const handle = handlers[request.url.split('/')[1]] ?? serve;
  Promise.resolve(handle(request, response)).catch((problem) => {
    console.error(problem);
    response.writeHead(500).end();
  });
}).listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
