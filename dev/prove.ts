import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Long proofs that are not part of the tests: `npm run prove -- NAME` runs dev/prove/NAME.ts. */
const [name = ""] = process.argv.splice(2, 1);
const file = fileURLToPath(new URL(`./prove/${name}.ts`, import.meta.url));
if (!/^[a-z0-9-]+$/.test(name) || !existsSync(file)) {
  console.error(`Unknown proof ${name}: see dev/prove/.`);
  process.exit(2);
}
await import(file);
