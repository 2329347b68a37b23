// A client of grpc-js, by its arguments: the server, and calls as <method>=<token>. It
// prints what became of each call.
import { Client, Metadata, credentials, status } from '@grpc/grpc-js';

const [server, ...calls] = process.argv.slice(2);
const client = new Client(server, credentials.createInsecure());
const encode = (value) => Buffer.from(value);

function call(method, token) {
  const metadata = new Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  return new Promise((done) => {
    const messages = [];
    const end = (problem) => done({ messages, status: status[problem?.code ?? 0], details: problem?.details ?? '' });
    if (method.endsWith('/All')) {
      const stream = client.makeServerStreamRequest(method, encode, String, '/a', metadata);
      stream.on('data', (message) => messages.push(message)).on('error', end).on('end', () => end());
    } else {
      client.makeUnaryRequest(method, encode, String, '/a', metadata, (problem, message) => {
        if (!problem) messages.push(message);
        end(problem);
      });
    }
  });
}

const seen = [];
for (const one of calls) seen.push(await call(...one.split(/=(.*)/s, 2)));
console.log(JSON.stringify(seen));
client.close();
