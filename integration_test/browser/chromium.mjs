// What the scripts have in common: each reads its order as JSON from standard
// input, has Chromium carry it out, and prints as JSON what came of it.
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

// Nothing leaves the machine: these keep Chromium from calling its maker.
const quiet = [
	'--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Runs work with the order and a browser, and prints its result. */
export async function run(work) {
	const order = JSON.parse(await text(process.stdin));
	const browser = await chromium.launch({ executablePath: order.executable, args: quiet });
	try {
		console.log(JSON.stringify(await work(order, browser)));
	} finally {
		await browser.close();
	}
}
