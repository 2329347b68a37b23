// A client of the MCP SDK, by its arguments: the release of the SDK (v1 or
// v2), the server, and where a tool is that needs more scope. It prints what
// happened as one JSON object.
import { follow } from './browser.mjs';

const [release, server, wider] = process.argv.slice(2);
const sdk = release === 'v1'
  ? { ...(await import('@modelcontextprotocol/sdk/client/index.js')), ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')), ...(await import('@modelcontextprotocol/sdk/client/auth.js')) }
  : await import('@modelcontextprotocol/client');

const redirectUrl = 'http://localhost:1/callback';
const seen = { exchanges: [], registrations: 0, scopes: [], calls: [] };

// provider keeps in memory what a client would keep in a file.
const kept = {};
const provider = {
  redirectUrl,
  clientMetadata: { client_name: 'test', redirect_uris: [redirectUrl], grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; seen.registrations += 1; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; seen.scopes.push(tokens.scope); },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  redirectToAuthorization: async (address) => { kept.landed = await follow(address, redirectUrl); },
};

// watched is fetch, with a note of what the server said.
async function watched(address, init) {
  const answer = await fetch(address, init);
  if (String(address).startsWith(server)) {
    seen.exchanges.push({ method: init?.method ?? 'GET', name: new Headers(init?.headers).get('mcp-name') ?? undefined, status: answer.status });
  }
  return answer;
}

// begin connects, with the login that is asked for on the way.
async function begin(address) {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(address), { authProvider: provider, fetch: watched });
    const client = new sdk.Client({ name: 'test', version: '1.0.0' }, release === 'v2' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : undefined);
    try {
      await client.connect(transport);
      return { client, transport };
    } catch (problem) {
      await login(transport, problem);
    }
  }
  throw new Error('logged in again and again');
}

async function login(transport, problem) {
  if (!kept.landed) throw problem;
  const landed = kept.landed;
  delete kept.landed;
  await transport.finishAuth(release === 'v1' ? landed.searchParams.get('code') : landed.searchParams);
}

async function call(session, name) {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const result = await session.client.callTool({ name, arguments: { path: '/a' } });
      seen.calls.push(result.content[0].text);
      return;
    } catch (problem) {
      await login(session.transport, problem);
    }
  }
  throw new Error('asked for more again and again');
}

let session = await begin(server);
seen.tools = (await session.client.listTools()).tools.map((tool) => tool.name).sort();
await call(session, 'read_file');
if (wider !== server) session = await begin(wider);
await call(session, 'delete_file');
console.log(JSON.stringify(seen));
process.exit(0);
