import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";

/** Every answer of Neon's API, wrong in every way: all cases of a test that runs some of them. */
export async function prove(): Promise<boolean> {
  const test = ["dev/run.mjs", "test", "tests/lib/backups/neon-answers.test.ts"];
  const env = { ...process.env, PROVE: "full" };
  const child = spawn(process.execPath, test, { stdio: "inherit", env });
  const [code] = await once(child, "exit");
  return code === 0;
}
