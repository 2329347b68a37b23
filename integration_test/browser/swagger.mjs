// Opens Swagger UI, calls an operation without authorization and then with a
// token, and tells what it showed.
import { run } from './chromium.mjs';

await run(async (order, browser) => {
	const page = await browser.newPage();
	const problems = [];
	page.on('pageerror', (problem) => problems.push(String(problem)));
	await page.goto(order.page);
	const operation = page.locator('.opblock', { hasText: '/orders' });
	await operation.locator('.opblock-summary-control').click();
	await operation.getByRole('button', { name: 'Try it out' }).click();
	const call = async () => {
		const answered = page.waitForResponse((answer) => new URL(answer.url()).pathname === '/orders');
		await operation.getByRole('button', { name: 'Execute', exact: true }).click();
		const answer = await answered;
		await operation.locator('.live-responses-table .response-col_status', { hasText: String(answer.status()) }).waitFor();
		return { status: answer.status(), shown: await operation.locator('.live-responses-table').innerText() };
	};
	const before = await call();
	await page.locator('.auth-wrapper > .authorize').click();
	const dialog = page.locator('.dialog-ux');
	await dialog.locator('input').first().fill(order.token);
	await dialog.getByRole('button', { name: 'Apply credentials' }).click();
	await dialog.getByRole('button', { name: 'Close' }).first().click();
	const after = await call();
	return { before, after, problems };
});
