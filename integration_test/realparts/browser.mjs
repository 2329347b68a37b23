// follow does what a person's browser would do with the address of an
// authorization: it goes where it is sent, with cookies, and returns the
// address that the client waits for.
export async function follow(start, end) {
  const cookies = new Map();
  let address = new URL(start);
  for (let hops = 0; hops < 20; hops += 1) {
    if (address.href.startsWith(end)) return address;
    const answer = await fetch(address, { redirect: 'manual', headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=');
      cookies.set(name, value.join('='));
    }
    if (!answer.headers.has('location')) throw new Error(`${address.pathname}: ${answer.status} ${await answer.text()}`);
    address = new URL(answer.headers.get('location'), address);
  }
  throw new Error('sent in circles');
}
