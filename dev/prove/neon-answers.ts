import { spawn } from "node:child_process";
import process from "node:process";

/** Every answer of Neon's API, wrong in every way: all cases of a test that runs some of them. */
const test = ["dev/run.mjs", "test", "tests/lib/backups/neon-answers.test.ts"];
const env = { ...process.env, PROVE: "full" };
const child = spawn(process.execPath, test, { stdio: "inherit", env });
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
