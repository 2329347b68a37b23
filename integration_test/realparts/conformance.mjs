// The public conformance suite of MCP, with its own arguments. On Node.js 20 an import
// of fs.globSync is replaced, which only commands need that are not used here.
import fs from 'node:fs';
import { register } from 'node:module';

if (!fs.globSync) {
  register(`data:text/javascript,${encodeURIComponent(`
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (!url.endsWith('/conformance/dist/index.js')) return loaded;
      return { ...loaded, source: String(loaded.source).replace('globSync as', 'readdirSync as') };
    }`)}`);
}
await import('./node_modules/@modelcontextprotocol/conformance/dist/index.js');
