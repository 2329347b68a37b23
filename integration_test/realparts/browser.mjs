// visit requests a page. A client such as mcp-remote opens the browser before it listens
// for the answer, and a person is slower than this program.
async function visit(address, options) {
  for (const end = Date.now() + 30_000; ;) {
    try {
      return await fetch(address, options);
    } catch (problem) {
      if (problem.cause?.code !== 'ECONNREFUSED' || Date.now() > end) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

// follow does what a person's browser would do with the address of an
// authorization: it goes where it is sent, with cookies, agrees to what the facade of a
// gate asks, and returns the address that the client waits for. A client with a server
// of its own for that gets the request.
export async function follow(start, end) {
  const cookies = new Map();
  let address = new URL(start);
  let form;
  for (let hops = 0; hops < 20; hops += 1) {
    if (end && address.href.startsWith(end)) return address;
    const answer = await visit(address, {
      redirect: 'manual', method: form ? 'POST' : 'GET', body: form,
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=');
      cookies.set(name, value.join('='));
    }
    form = undefined;
    if (answer.headers.has('location')) {
      address = new URL(answer.headers.get('location'), address);
      continue;
    }
    const page = await answer.text();
    const [, action, request] = page.match(/<form method="post" action="([^"]*\/consent\/[^"]*)">\s*<input type="hidden" name="request" value="([^"]*)">/) ?? [];
    if (action) {
      address = new URL(action, address);
      form = new URLSearchParams({ request, decision: 'allow' });
    } else if (answer.ok && !end) {
      return address;
    } else {
      throw new Error(`${address.pathname}: ${answer.status} ${page}`);
    }
  }
  throw new Error('sent in circles');
}
