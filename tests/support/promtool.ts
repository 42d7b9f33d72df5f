import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Run promtool on files and standard input. Throws if it is not installed. */
export function promtool(
  args: string[],
  { files = {}, stdin = "" }: { files?: Record<string, string>; stdin?: string } = {},
): { status: number | null; output: string } {
  const cwd = mkdtempSync(join(tmpdir(), "promtool-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    const run = spawnSync("promtool", args, { cwd, input: stdin, encoding: "utf8" });
    if (run.error)
      throw new Error("This test needs promtool: install prometheus.", { cause: run.error });
    return { status: run.status, output: `${run.stdout}${run.stderr}` };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
