import { readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** `npm run prove -- NAME` runs `dev/prove/NAME.ts`: a promise that is too large for the tests. `backup` and `retention` take a number of rows. */
const directory = path.join(import.meta.dirname, "prove");
const names = readdirSync(directory).flatMap((file) => /^(.+)\.ts$/.exec(file)?.[1] ?? []);
const [name = ""] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`Usage: npm run prove -- NAME. One of: ${names.join(", ")}.`);
  process.exit(2);
}
const { prove } = (await import(path.join(directory, `${name}.ts`))) as {
  prove: (args: string[]) => Promise<boolean>;
};
process.exit((await prove(process.argv.slice(3))) ? 0 : 1);
