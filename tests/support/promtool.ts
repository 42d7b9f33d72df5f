import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface ToolInput {
  files?: Record<string, string>;
  stdin?: string;
}

/** Run promtool on files and standard input. Throws if it is not installed. */
export const promtool = (args: string[], input: ToolInput = {}) =>
  run("promtool", "prometheus", args, input);

/** The same for amtool, the checker of Alertmanager's configuration. */
export const amtool = (args: string[], input: ToolInput = {}) =>
  run("amtool", "prometheus-alertmanager", args, input);

function run(
  program: string,
  debianPackage: string,
  args: string[],
  { files = {}, stdin = "" }: ToolInput,
): { status: number | null; output: string } {
  const cwd = mkdtempSync(join(tmpdir(), "promtool-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    const run = spawnSync(program, args, { cwd, input: stdin, encoding: "utf8" });
    if (run.error)
      throw new Error(`This test needs ${program}: install ${debianPackage}.`, {
        cause: run.error,
      });
    return { status: run.status, output: `${run.stdout}${run.stderr}` };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
