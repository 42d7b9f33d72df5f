import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toBackend, toClient } from "../../../../lib/platform/redis-transport/scripts.js";

const sha = (text: string) => createHash("sha1").update(text).digest("hex");

describe("a script sent to Redis", () => {
  it("is sent without the flag that Redis does not support, with the same line numbers", () => {
    const script = "#!lua flags=allow-key-locking\nreturn 1";
    expect(toBackend(["EVAL", script, "0"])).toEqual(["EVAL", "\nreturn 1", "0"]);
    expect(toBackend(["SCRIPT", "load", script])).toEqual(["SCRIPT", "load", "\nreturn 1"]);
  });

  it.each([
    ["#!lua flags=no-writes, allow-key-locking\r\nreturn 1", "#!lua flags=no-writes\r\nreturn 1"],
    ["#!lua flags=no-writes\nreturn 1", "#!lua flags=no-writes\nreturn 1"],
    ["return '#!lua flags=allow-key-locking'", "return '#!lua flags=allow-key-locking'"],
    ["return 1", "return 1"],
  ])("keeps everything else unchanged: %j", (script, expected) => {
    expect(toBackend(["EVAL_RO", script, "0"])).toEqual(["EVAL_RO", expected, "0"]);
  });

  it("is called by its own SHA only after its text was sent", () => {
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

  it("is loaded under the SHA that the client calculates", () => {
    const script = "#!lua flags=allow-key-locking\nreturn 2";
    expect(toClient(["SCRIPT", "LOAD", script], sha("\nreturn 2"))).toBe(sha(script));
    expect(toClient(["GET", "key"], "value")).toBe("value");
  });

  it("passes on commands without arguments for Redis to refuse", () => {
    for (const command of [["EVAL"], ["EVALSHA"], ["SCRIPT"], ["SCRIPT", "LOAD"]]) {
      expect(toBackend(command)).toEqual(command);
    }
  });
});
