// Takes steps in a browser and tells at which it would have opened its window
// for a user name and a password.
import { run } from './chromium.mjs';

await run(async (order, browser) => {
	const context = await browser.newContext();
	const page = await context.newPage();
	const prompts = [];
	const protocol = await context.newCDPSession(page);
	let answer;
	protocol.on('Fetch.requestPaused', ({ requestId }) => protocol.send('Fetch.continueRequest', { requestId }).catch(() => {}));
	protocol.on('Fetch.authRequired', ({ requestId, authChallenge }) => {
		prompts.push(`${authChallenge.scheme} ${authChallenge.realm}`);
		protocol.send('Fetch.continueWithAuth', {
			requestId,
			authChallengeResponse: answer ? { response: 'ProvideCredentials', ...answer } : { response: 'CancelAuth' },
		}).catch(() => {});
	});
	await protocol.send('Fetch.enable', { handleAuthRequests: true });
	const results = [];
	for (const step of order.steps) {
		prompts.length = 0;
		answer = step.answer;
		let result;
		if (step.method) {
			await page.goto(order.page);
			result = await page.evaluate(({ method, url }) => window[method](url), step);
		} else {
			await page.setExtraHTTPHeaders(step.header ?? {});
			const response = await page.goto(step.url);
			result = { status: response.status(), body: await page.locator('body').innerText(), loaded: await page.evaluate(() => window.loaded?.()) };
		}
		results.push({ ...result, prompts: [...prompts] });
	}
	return results;
});
