// Opens pages as people see them: takes a picture of each, and tells what could
// make it hard to read.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { run } from './chromium.mjs';

const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

await run(async (order, browser) => {
	const results = [];
	for (const view of order.views) results.push(await look(browser, view));
	return results;
});

async function look(browser, view) {
	const context = await browser.newContext({
		locale: view.locale,
		colorScheme: view.scheme,
		viewport: { width: view.width, height: view.height },
		extraHTTPHeaders: view.header,
	});
	const page = await context.newPage();
	const requests = [];
	const complaints = [];
	page.on('request', (request) => requests.push(request.url()));
	page.on('console', (message) => complaints.push(message.text()));
	page.on('pageerror', (error) => complaints.push(String(error)));
	const response = await page.goto(view.url, { waitUntil: 'networkidle' });
	await page.screenshot({ path: view.picture });
	const seen = await page.evaluate(() => ({
		title: document.title,
		language: document.documentElement.lang,
		heading: document.querySelector('h1')?.innerText,
		text: document.body.innerText,
		tooWide: document.documentElement.scrollWidth > innerWidth,
		buttons: [...document.querySelectorAll('a')].map((a) => ({ href: a.href, height: a.getBoundingClientRect().height })),
	}));
	// Bypasses the policy of the page, which allows no script.
	const violations = await page.evaluate(`${axe}; axe.run().then(({ violations }) => violations.map((v) => v.id + ': ' + v.help))`);
	await context.close();
	// Chromium logs the error status of a page on the console.
	const own = complaints.filter((complaint) => !complaint.startsWith('Failed to load resource: the server responded with a status of'));
	return { status: response.status(), ...seen, requests, complaints: own, violations };
}
