import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { courseFolders } from "../../../dev/content/read-course.js";

const run = promisify(execFile);

const check = async (...folders: string[]) => {
  const finished = run(process.execPath, ["dev/run.mjs", "content-check", ...folders]);
  const { stdout } = await finished.catch((error) => error);
  return { code: finished.child.exitCode, lines: stdout.trim().split("\n") };
};

// Each run starts a process and reads the dictionaries.
describe("content-check", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "course-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const [course = ""] = courseFolders();
  const copy = join(folder, "es-en");
  cpSync(course, copy, { recursive: true });

  it("prints one line for each course without a problem", async () => {
    const { code, lines } = await check();
    expect(lines).toHaveLength(courseFolders().length);
    expect(lines[0]).toMatch(/^es-en: \d+ lessons, \d+ exercises, \d+ words: no problems$/);
    expect(code).toBe(0);
  });

  it("prints each problem with its file, and fails", async () => {
    const file = join(copy, "numbers.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("target: cero", "target: zero"));
    const { code, lines } = await check(copy);
    expect(lines).toEqual([
      'es-en/numbers.yaml: Correct the spelling of "zero", or add it to spelling.yaml under es.',
      expect.stringMatching(/^es-en: .*: 1 problem$/),
    ]);
    expect(code).toBe(1);
  });

  it("reports a file that does not have the form of its content, and fails", async () => {
    writeFileSync(join(copy, "words.yaml"), "- id: hola");
    const { code, lines } = await check(copy);
    expect(lines[0]).toContain("words.yaml");
    expect(code).toBe(1);
  });
});
