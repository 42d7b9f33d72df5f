import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** Runs a proof: dev/prove/NAME.ts, whose default export returns whether it holds. */
const [name = ""] = process.argv.slice(2);
const folder = path.join(import.meta.dirname, "prove");
const file = path.join(folder, `${name}.ts`);
if (!/^[\w-]+$/.test(name) || !existsSync(file)) {
  const names = readdirSync(folder).map((each) => path.basename(each, ".ts"));
  console.error(`Unknown proof ${name}. One of: ${names.join(", ")}.`);
  process.exit(2);
}
const { default: prove } = (await import(file)) as { default: () => Promise<boolean> };
process.exitCode = (await prove()) ? 0 : 1;
