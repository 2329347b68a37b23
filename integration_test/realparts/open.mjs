// The browser that programs open: it signs in at the address in its argument.
import { follow } from './browser.mjs';

await follow(process.argv[2]);
