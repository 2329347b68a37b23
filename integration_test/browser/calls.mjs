// Opens a page and has its script make calls, one after the other.
import { run } from './chromium.mjs';

await run(async (order, browser) => {
	const context = await browser.newContext();
	if (order.cookies) await context.addCookies(order.cookies);
	const page = await context.newPage();
	const preflights = await recordPreflights(context, page);
	await page.goto(order.page);
	const results = [];
	for (const call of order.calls) {
		preflights.length = 0;
		const result = await page.evaluate(({ method, url, options }) => window[method](url, options), call);
		results.push({ ...result, preflights: [...preflights] });
	}
	return results;
});

// recordPreflights keeps the statuses of the answers to preflights.
async function recordPreflights(context, page) {
	const statuses = [];
	const protocol = await context.newCDPSession(page);
	protocol.on('Network.responseReceived', (event) => {
		if (event.type === 'Preflight') statuses.push(event.response.status);
	});
	await protocol.send('Network.enable');
	return statuses;
}
