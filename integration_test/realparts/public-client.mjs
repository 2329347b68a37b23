// A public client of MCP, by its arguments: its name, and the server. It prints the
// tools that the client lists, what a tool answers, and what one answers that needs more
// scope.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { follow } from './browser.mjs';

const [name, server] = process.argv.slice(2);
const run = async (program, ...args) => (await promisify(execFile)(process.execPath, [`node_modules/.bin/${program}`, ...args], { timeout: 60_000 })).stdout;
// attempt returns what a call answers, or its error.
async function attempt(call) {
  try {
    const answer = await call();
    return typeof answer === 'string' ? answer.trim() : answer.content[0].text;
  } catch (problem) {
    return `failed: ${problem.message} ${problem.stdout ?? ''} ${problem.stderr ?? ''}`;
  }
}
const listed = (result) => result.tools.map((tool) => tool.name).sort();

const clients = {
  // mcp-remote is a server on standard input, and a client of the real one.
  'mcp-remote': async () => {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js');
    const client = new Client({ name: 'test', version: '1.0.0' });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: ['node_modules/.bin/mcp-remote', server, '--transport', 'http-only'], env: process.env }));
    const tools = listed(await client.listTools());
    const { content } = await client.callTool({ name: 'read_file', arguments: { path: '/a' } });
    return { tools, call: content[0].text, wider: await attempt(() => client.callTool({ name: 'delete_file', arguments: { path: '/a' } })) };
  },
  mcporter: async () => {
    const at = ['--http-url', server, '--allow-http', '--name', 'gate'];
    await run('mcporter', 'auth', ...at);
    const { tools } = JSON.parse(await run('mcporter', 'list', ...at, '--json'));
    const call = (tool) => attempt(() => run('mcporter', 'call', ...at, '--tool', tool, '--args', '{"path":"/a"}', '--output', 'text'));
    return { tools: listed({ tools }), call: await call('read_file'), wider: await call('delete_file') };
  },
  inspector: async () => {
    const at = ['--cli', '--server-url', server, '--transport', 'http', '--format', 'json', '--quiet'];
    const unwrapped = (text) => JSON.parse(text).result ?? JSON.parse(text);
    const tools = unwrapped(await run('mcp-inspector', ...at, '--method', 'tools/list'));
    const call = (tool) => attempt(async () => unwrapped(await run('mcp-inspector', ...at, '--method', 'tools/call', '--tool-name', tool, '--tool-arg', 'path=/a')));
    return { tools: listed(tools), call: await call('read_file'), wider: await call('delete_file') };
  },
  'ai-sdk': async () => {
    const { auth, createMCPClient } = await import('@ai-sdk/mcp');
    const redirectUrl = 'http://localhost:1/callback';
    const kept = {};
    const authProvider = {
      redirectUrl,
      clientMetadata: { client_name: 'test', redirect_uris: [redirectUrl], grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'none' },
      clientInformation: () => kept.client,
      saveClientInformation: (client) => { kept.client = client; },
      isClientInformationDynamicallyRegistered: () => true,
      authorizationServerInformation: () => kept.server,
      saveAuthorizationServerInformation: (found) => { kept.server = found; },
      tokens: () => kept.tokens,
      saveTokens: (tokens) => { kept.tokens = tokens; },
      state: () => 'a state',
      storedState: () => 'a state',
      saveState: () => {},
      saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
      codeVerifier: () => kept.verifier,
      redirectToAuthorization: async (address) => { kept.landed = await follow(address, redirectUrl); },
    };
    const open = () => createMCPClient({ transport: { type: 'http', url: server, authProvider } });
    // retried signs in where an action leads to a login.
    const retried = async (action) => {
      try {
        return await action();
      } catch (problem) {
        if (!kept.landed) throw problem;
        const values = kept.landed.searchParams;
        delete kept.landed;
        await auth(authProvider, { serverUrl: server, authorizationCode: values.get('code'), callbackState: values.get('state'), callbackIssuer: values.get('iss') });
        return action();
      }
    };
    const client = await retried(open);
    const tools = await client.tools();
    const call = (tool) => attempt(() => retried(() => tools[tool].execute({ path: '/a' }, {})));
    return { tools: Object.keys(tools).sort(), call: await call('read_file'), wider: await call('delete_file') };
  },
};

console.log(JSON.stringify(await clients[name]()));
process.exit(0);
