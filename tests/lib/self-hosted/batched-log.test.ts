import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, expect, it } from "vitest";

/** The messages that a process writes which runs `statements`. */
function messagesOf(statements: string): string[] {
  const script = `
    import { installLogStream, log } from "./lib/observability/logger.js";
    import { batchedLog } from "./lib/self-hosted/batched-log.js";
    installLogStream(batchedLog());
    const say = (level, text) => log(level, { evt: "e", cat: "c" }, text);
    ${statements}`;
  const { stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", script],
    {
      env: { ...process.env, JWT_SECRET: "a-secret-of-32-bytes-for-this-test", LOG_LEVEL: "info" },
      encoding: "utf8",
      maxBuffer: 1e8,
    },
  );
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).msg);
}

const many = `for (let n = 0; n < 2000; n++) say("INFO", "line " + n);`;
const lines = Array.from({ length: 2000 }, (_, n) => `line ${n}`);

describe("the log of the self-hosted server", () => {
  it.each(["ERROR", "FATAL", "SECURITY"])(
    "keeps a line of level %s and all before it when the process is killed",
    (level) => {
      const killed = `${many} say("${level}", "last"); process.kill(process.pid, "SIGKILL");`;
      expect(messagesOf(killed)).toEqual([...lines, "last"]);
    },
  );

  it("keeps every line when the process exits", () => {
    expect(messagesOf(`${many} process.exit(0);`)).toEqual(lines);
    expect(messagesOf(`${many} throw new Error("no");`)).toEqual(lines);
  });

  it("writes the lines of a turn before the next one", () => {
    const killed = `${many} setImmediate(() => process.kill(process.pid, "SIGKILL"));`;
    expect(messagesOf(killed)).toEqual(lines);
  });
});
