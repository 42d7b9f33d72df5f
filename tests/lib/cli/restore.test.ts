import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Call } from "../../../lib/cli/command.js";
import { restore } from "../../../lib/cli/commands/restore.js";

const [, finish] = restore;

/** Runs `restore finish` against a server that gives these answers in turn. */
async function run(answers: Record<string, unknown>[], options: Call["options"] = {}) {
  const sent: unknown[] = [];
  const shown: string[] = [];
  const call = {
    args: [],
    options,
    terminal: { show: (text: string) => shown.push(text) },
    api: {
      async change(_method: string, _path: string, body: object) {
        sent.push(body);
        const detail = answers.shift() ?? {};
        return { body: {}, detail, text: JSON.stringify(detail), isProblem: false };
      },
    },
  } as unknown as Call;
  const result = await finish?.run(call);
  return { result, sent, shown };
}

describe("restore finish", () => {
  it("repeats the call until nothing is left, and shows each step", async () => {
    const { result, sent, shown } = await run([
      { left: 5 },
      { left: 2 },
      { left: 0, sessionsLeft: true },
      { left: 0, sessionsLeft: true },
      { left: 0 },
    ]);
    expect(sent).toHaveLength(5);
    expect(shown).toHaveLength(4);
    expect(result?.isProblem).toBe(false);
  });

  it("is a problem when a call does not get on", async () => {
    const { result, sent } = await run([{ left: 2 }, { left: 2 }]);
    expect(sent).toHaveLength(2);
    expect(result?.isProblem).toBe(true);
  });

  it("is a problem when the copies may lack erasures, although it is done", async () => {
    const { result } = await run([{ left: 0, mayLackErasures: true }]);
    expect(result?.isProblem).toBe(true);
  });

  it("shows the commands that set again the blocks and flags that the restore has lost", async () => {
    const lostRules = ['npm run ops -- flag off stt --reason "x"'];
    const { result } = await run([{ left: 0, lostRules }]);
    expect(result?.text).toMatch(
      /To set again what is still needed:\n {2}npm run ops -- flag off stt/,
    );
    expect(result?.isProblem).toBe(false);
  });

  it("tells the server that no account was erased", async () => {
    const { sent } = await run([{ left: 0 }], { erasures: "none" });
    expect(sent).toEqual([{ noneErased: true }]);
  });

  it("refuses a list without an ID", async () => {
    const directory = await mkdtemp(join(tmpdir(), "restore-"));
    try {
      const file = join(directory, "erasures.txt");
      await writeFile(file, "\n");
      await expect(run([], { erasures: file })).rejects.toThrow(
        /has no user ID\. If no account was erased: --erasures none$/,
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
