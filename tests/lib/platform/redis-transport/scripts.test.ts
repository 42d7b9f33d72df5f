import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toBackend, toClient } from "../../../../lib/platform/redis-transport/scripts.js";

const sha = (text: string) => createHash("sha1").update(text).digest("hex");

describe("a script on its way to Redis", () => {
  it("loses the flag that Redis does not know, and keeps its line numbers", () => {
    const script = "#!lua flags=allow-key-locking\nreturn 1";
    expect(toBackend(["EVAL", script, "0"])).toEqual(["EVAL", "\nreturn 1", "0"]);
    expect(toBackend(["SCRIPT", "load", script])).toEqual(["SCRIPT", "load", "\nreturn 1"]);
  });

  it.each([
    ["#!lua flags=no-writes, allow-key-locking\r\nreturn 1", "#!lua flags=no-writes\r\nreturn 1"],
    ["#!lua flags=no-writes\nreturn 1", "#!lua flags=no-writes\nreturn 1"],
    ["return '#!lua flags=allow-key-locking'", "return '#!lua flags=allow-key-locking'"],
    ["return 1", "return 1"],
  ])("keeps everything else: %j", (script, expected) => {
    expect(toBackend(["EVAL_RO", script, "0"])).toEqual(["EVAL_RO", expected, "0"]);
  });

  it("is known by its own SHA once its text has passed, and not before", () => {
    const script = "#!lua flags=allow-key-locking\nreturn 'seen once'";
    const call = ["EVALSHA", sha(script), "0"];
    expect(toBackend(call)).toEqual(call);
    toBackend(["EVAL", script, "0"]);
    const known = sha("\nreturn 'seen once'");
    expect(toBackend(call)).toEqual(["EVALSHA", known, "0"]);
    expect(toBackend(["SCRIPT", "EXISTS", sha(script), "other"])).toEqual([
      "SCRIPT",
      "EXISTS",
      known,
      "other",
    ]);
  });

  it("is loaded under the SHA that the client computes", () => {
    const script = "#!lua flags=allow-key-locking\nreturn 2";
    expect(toClient(["SCRIPT", "LOAD", script], sha("\nreturn 2"))).toBe(sha(script));
    expect(toClient(["GET", "key"], "value")).toBe("value");
  });

  it("leaves commands without arguments for Redis to refuse", () => {
    for (const command of [["EVAL"], ["EVALSHA"], ["SCRIPT"], ["SCRIPT", "LOAD"]]) {
      expect(toBackend(command)).toEqual(command);
    }
  });
});
