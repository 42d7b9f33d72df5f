import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import process from "node:process";
import { describe, expect, it } from "vitest";

/** Run `statements` in a process that writes its log to `stdout`. */
function run(statements: string, stdout: "pipe" | number = "pipe") {
  const script = `
    import { installLogStream, log } from "./lib/observability/logger.js";
    import { batchedLog } from "./lib/self-hosted/batched-log.js";
    installLogStream(batchedLog());
    const say = (level, text) => log(level, { evt: "e", cat: "c" }, text);
    ${statements}`;
  return spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    env: { ...process.env, JWT_SECRET: "a-secret-of-32-bytes-for-this-test", LOG_LEVEL: "info" },
    encoding: "utf8",
    maxBuffer: 1e8,
    stdio: ["ignore", stdout, "pipe"],
  });
}

const messagesOf = (statements: string): string[] =>
  run(statements)
    .stdout.split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).msg);

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

  it.runIf(process.platform === "linux")("does not end the process when its disk is full", () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = run(
      `say("ERROR", "one"); ${many} setTimeout(() => { say("ERROR", "two"); process.exit(42); }, 50);`,
      full,
    );
    expect({ status, stderr }).toEqual({ status: 42, stderr: "" });
  });
});
