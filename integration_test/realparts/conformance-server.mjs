// A server for the public conformance suite of MCP, with what most of its scenarios
// ask for, and no notion of authorization. Revisions with sessions are at /mcp, the one
// without is at /stateless.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { Server as StatelessServer, createMcpHandler } from '@modelcontextprotocol/server';

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const text = (value) => ({ type: 'text', text: value });
const image = { type: 'image', data: png, mimeType: 'image/png' };
const embedded = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });
const user = (content) => ({ role: 'user', content });

const elicit = (requestedSchema) => async (args, extra) => {
  const result = await extra.sendRequest({ method: 'elicitation/create', params: { message: args.message ?? 'Please answer', requestedSchema: { type: 'object', ...requestedSchema } } }, types.ElicitResultSchema);
  return [text(`User response: ${JSON.stringify(result)}`)];
};

const tools = {
  test_simple_text: () => [text('This is a simple text response for testing.')],
  test_image_content: () => [image],
  test_audio_content: () => [{ type: 'audio', data: wav, mimeType: 'audio/wav' }],
  test_embedded_resource: () => [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  test_multiple_content_types: () => [text('Multiple content types test:'), image, embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}')],
  test_error_handling: () => { throw new Error('This tool intentionally returns an error for testing'); },
  test_tool_with_logging: async (args, { sendNotification }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
      await pause(50);
    }
    return [text('done')];
  },
  test_tool_with_progress: async (args, { sendNotification, _meta }) => {
    for (const progress of [0, 50, 100]) {
      if (_meta?.progressToken !== undefined) {
        await sendNotification({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress, total: 100 } });
      }
      await pause(50);
    }
    return [text('done')];
  },
  test_sampling: async ({ prompt }, { sendRequest }) => {
    const answer = await sendRequest({ method: 'sampling/createMessage', params: { messages: [user(text(prompt))], maxTokens: 100 } }, types.CreateMessageResultSchema);
    return [text(`LLM response: ${answer.content.text}`)];
  },
  test_elicitation: elicit({ properties: { username: { type: 'string' }, email: { type: 'string' } }, required: ['username', 'email'] }),
  test_elicitation_sep1034_defaults: elicit({ properties: {
    name: { type: 'string', default: 'John Doe' }, age: { type: 'integer', default: 30 }, score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' }, verified: { type: 'boolean', default: true },
  } }),
  test_elicitation_sep1330_enums: elicit({ properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: [{ const: 'value1', title: 'First' }, { const: 'value2', title: 'Second' }, { const: 'value3', title: 'Third' }] },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: [{ const: 'value1', title: 'First' }, { const: 'value2', title: 'Second' }, { const: 'value3', title: 'Third' }] } },
  } }),
};

const resources = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: png },
  'test://watched-resource': { mimeType: 'text/plain', text: 'watched' },
};

const prompts = {
  test_simple_prompt: { make: () => [user(text('This is a simple prompt for testing.'))] },
  test_prompt_with_arguments: { names: ['arg1', 'arg2'], make: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] },
  test_prompt_with_embedded_resource: {
    names: ['resourceUri'],
    make: ({ resourceUri }) => [user(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')), user(text('Please process the embedded resource above.'))],
  },
  test_prompt_with_image: { make: () => [user(image), user(text('Please analyze the image above.'))] },
};

const listed = (all, describe) => Object.entries(all).map(([name, value]) => ({ name, description: name, ...describe(name, value) }));

const handlers = [
  [types.ListToolsRequestSchema, () => ({ tools: listed(tools, () => ({ inputSchema: { type: 'object' } })) })],
  [types.CallToolRequestSchema, async ({ params }, extra) => {
    try {
      return { content: await tools[params.name](params.arguments ?? {}, extra) };
    } catch (problem) {
      return { isError: true, content: [text(problem.message)] };
    }
  }],
  [types.ListResourcesRequestSchema, () => ({ resources: listed(resources, (uri, { mimeType }) => ({ uri, mimeType })) })],
  [types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' }] })],
  [types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const [, id] = uri.match(/^test:\/\/template\/([^/]+)\/data$/) ?? [];
    return { contents: [{ uri, ...(id ? { mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) } : resources[uri]) }] };
  }],
  [types.SubscribeRequestSchema, () => ({})],
  [types.UnsubscribeRequestSchema, () => ({})],
  [types.ListPromptsRequestSchema, () => ({ prompts: listed(prompts, (name, { names = [] }) => ({ arguments: names.map((one) => ({ name: one, description: one, required: true })) })) })],
  [types.GetPromptRequestSchema, ({ params }) => ({ messages: prompts[params.name].make(params.arguments ?? {}) })],
  [types.CompleteRequestSchema, () => ({ completion: { values: ['paris', 'park', 'party'], total: 3, hasMore: false } })],
  [types.SetLevelRequestSchema, () => ({})],
];

function newServer() {
  const server = new Server({ name: 'conformance', version: '1.0.0' }, { capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {}, logging: {} } });
  for (const [schema, handler] of handlers) server.setRequestHandler(schema, handler);
  return server;
}

// The handlers of the revision without sessions are found by the names of their methods.
const stateless = createMcpHandler(() => {
  const server = new StatelessServer({ name: 'conformance', version: '1.0.0' }, { capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} } });
  for (const [schema, handler] of handlers) {
    const method = schema.shape.method.value;
    if (!/subscribe|setLevel/.test(method)) server.setRequestHandler(method, (request, { mcpReq }) => handler(request, { sendNotification: mcpReq.notify, _meta: request.params?._meta }));
  }
  return server;
});

async function answerStateless(request, response) {
  const answer = await stateless.fetch(new Request(`http://localhost${request.url}`, {
    method: request.method, headers: request.headers, duplex: 'half',
    body: ['GET', 'HEAD'].includes(request.method) ? undefined : Readable.toWeb(request),
  }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) Readable.fromWeb(answer.body).pipe(response);
  else response.end();
}

const sessions = new Map();
// Idle connections stay open: a request could meet one that is about to close.
createServer({ keepAliveTimeout: 0 }, async (request, response) => {
  if (request.url === '/stateless') return answerStateless(request, response);
  let transport = sessions.get(request.headers['mcp-session-id']);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
    await newServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'));
