import { readdirSync } from "node:fs";
import process from "node:process";

/** `npm run prove -- NAME ARGS`: a proof at full size, too long for the tests. Each is a file of dev/prove/. */
const directory = new URL("./prove/", import.meta.url);
const names = readdirSync(directory).map((file) => file.replace(/\.ts$/, ""));
const [name = "", ...args] = process.argv.slice(2);
if (names.includes(name)) {
  const { prove } = await import(new URL(`${name}.ts`, directory).href);
  process.exitCode = await prove(args);
} else {
  console.error(`Usage: prove NAME. One of: ${names.join(", ")}.`);
  process.exitCode = 2;
}
