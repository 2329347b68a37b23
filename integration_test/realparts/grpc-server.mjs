// A gRPC server with two methods and no notion of authorization. Messages are text.
import { Server, ServerCredentials } from '@grpc/grpc-js';

const text = { serialize: (value) => Buffer.from(value), deserialize: String };
const method = (path, responseStream) => ({
  path, requestStream: false, responseStream, requestSerialize: text.serialize, requestDeserialize: text.deserialize,
  responseSerialize: text.serialize, responseDeserialize: text.deserialize,
});

const server = new Server();
server.addService({ one: method('/files.Files/One', false), all: method('/files.Files/All', true) }, {
  one: ({ request }, answer) => answer(null, `one ${request}`),
  all: (call) => {
    call.write(`first ${call.request}`);
    call.write(`second ${call.request}`);
    call.end();
  },
});
server.bindAsync(`127.0.0.1:${process.env.PORT}`, ServerCredentials.createInsecure(), (problem) => {
  if (problem) throw problem;
  console.log('ready');
});
