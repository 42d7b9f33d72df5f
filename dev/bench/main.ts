import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { CleanUp } from "./clean-up.js";
import { readOptions, UsageError } from "./options.js";
import { report } from "./report.js";
import { runBench } from "./run-bench.js";

const cleanUp = new CleanUp();
const tell = (progress: string) => console.error(progress);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    tell("Stopping");
    await cleanUp.run(tell);
    process.exit(1);
  });
}

try {
  const options = readOptions(process.argv.slice(2), process.env, new Date());
  const result = await runBench(options, cleanUp, tell);
  console.log(`\n${report(result)}`);
  await mkdir(dirname(options.jsonFile), { recursive: true });
  await writeFile(options.jsonFile, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\nWritten to ${options.jsonFile}`);
  const isMissed = result.verdicts.some(({ outcome }) => outcome === "MISS");
  process.exitCode = options.strict && isMissed ? 1 : 0;
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 1;
} finally {
  await cleanUp.run(tell);
}
