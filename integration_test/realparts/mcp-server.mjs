// An MCP server of the SDK for all revisions, with two tools and no notion of
// authorization.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

const tool = (server, name) =>
  server.registerTool(name, { description: name, inputSchema: z.object({ path: z.string() }) }, async ({ path }) => ({
    content: [{ type: 'text', text: `${name} ${path}` }],
  }));

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'files', version: '1.0.0' });
  tool(server, 'read_file');
  tool(server, 'delete_file');
  return server;
});

createServer(async (incoming, outgoing) => {
  const answer = await handler.fetch(new Request(`http://localhost${incoming.url}`, {
    method: incoming.method, headers: incoming.headers, duplex: 'half',
    body: ['GET', 'HEAD'].includes(incoming.method) ? undefined : Readable.toWeb(incoming),
  }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) Readable.fromWeb(answer.body).pipe(outgoing);
  else outgoing.end();
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'));
