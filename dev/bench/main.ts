import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { readOptions } from "./options.js";
import { report } from "./report.js";
import { runBench } from "./run-bench.js";

const options = readOptions(process.argv.slice(2), new Date());
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stopping.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  const result = await runBench(options, stopping.signal, (text) => console.error(text));
  console.log(`\n${report(result)}`);
  await mkdir(dirname(options.jsonFile), { recursive: true });
  await writeFile(options.jsonFile, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\nWritten to ${options.jsonFile}`);
  const isMissed = result.verdicts.some(({ outcome }) => outcome === "MISS");
  process.exitCode = options.strict && isMissed ? 1 : 0;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
