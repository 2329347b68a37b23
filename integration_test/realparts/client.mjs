// A client of oauth4webapi, by its arguments: what to do, the issuer and the
// resource. It prints what happened as one JSON object.
import * as oauth from 'oauth4webapi';

const [what, issuer, target] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };
const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure));

// token asks for one for a client that acts for itself.
async function token(id, options = {}) {
  const client = { client_id: id };
  const auth = oauth.ClientSecretBasic(`${id}-secret-of-some-length`);
  const parameters = new URLSearchParams({ scope: 'orders:read', resource: 'https://api.example.com' });
  const ask = () => oauth.clientCredentialsGrantRequest(as, client, auth, parameters, { ...insecure, ...options });
  let answer = await ask();
  try {
    return await oauth.processClientCredentialsResponse(as, client, answer);
  } catch (problem) {
    if (!oauth.isDPoPNonceError(problem)) throw problem;
    return oauth.processClientCredentialsResponse(as, client, await ask());
  }
}

// resource asks the resource; a challenge that cannot be parsed is an error.
async function resource(access, options = {}) {
  const ask = () => oauth.protectedResourceRequest(access, 'GET', new URL(target), undefined, undefined, { ...insecure, ...options });
  try {
    const answer = await ask();
    return { status: answer.status, body: await answer.text() };
  } catch (problem) {
    if (oauth.isDPoPNonceError(problem)) return { ...(await resource(access, options)), nonce: 'asked for' };
    if (problem instanceof oauth.WWWAuthenticateChallengeError) {
      return { status: problem.status, challenges: problem.cause.map(({ scheme, parameters }) => ({ scheme, error: parameters.error })) };
    }
    throw problem;
  }
}

const actions = {
  async plain() {
    const { access_token: access } = await token('robot');
    return { good: await resource(access), bad: await resource('nonsense') };
  },
  async dpop() {
    const DPoP = oauth.DPoP({ client_id: 'sealed' }, await oauth.generateKeyPair('ES256'));
    const { access_token: access } = await token('sealed', { DPoP });
    return { good: await resource(access, { DPoP }), again: await resource(access, { DPoP }), bearer: await resource(access) };
  },
  async metadata() {
    const url = new URL(target);
    const answer = await oauth.resourceDiscoveryRequest(url, insecure);
    return oauth.processResourceDiscoveryResponse(url, answer);
  },
};
console.log(JSON.stringify(await actions[what]()));
