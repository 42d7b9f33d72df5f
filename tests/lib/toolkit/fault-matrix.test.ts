import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { waitUntil } from "@vercel/functions";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import * as z from "zod";
import {
  startToolkitEndpoint,
  type ToolkitEndpoint,
  type ToolkitFault,
} from "../../../dev/toolkit/toolkit-endpoint.js";
import type { Context } from "../../../lib/context.js";
import { AppError } from "../../../lib/errors.js";
import { installPlatform, platform } from "../../../lib/platform/installed.js";
import { askForObject, askForText } from "../../../lib/toolkit/llm.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();
const lines = useLogLines();
let toolkit: ToolkitEndpoint;

beforeAll(async () => {
  toolkit = await startToolkitEndpoint("tk_test");
});
afterAll(() => toolkit.close());
beforeEach(async () => {
  setEnvironment({
    EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
    TOOLKIT_API_KEY: "tk_test",
    LOG_LEVEL: "info",
  });
  toolkit.fail(null);
  toolkit.requests.length = 0;
  const keys = (await stores.redis("KEYS", "toolkit:*")) as string[];
  await stores.redis("DEL", "gate", "breaker:toolkit", ...keys);
});

const hours = 3_600_000;
const deadlineMs = 1200;

/** A context with a closed breaker. */
function aRequest(now = new Date()): Context {
  const gate = {
    revokeAllBefore: 0,
    flags: null,
    toolkitBreaker: null,
    isRestoring: false,
    lastDrainMs: 0,
  };
  // As in a route, which logs failures after the response.
  const after: Context["after"] = (work) => waitUntil(work().catch(() => {}));
  return { ...aContext(), now, gate, after };
}

const ask = (ctx: Context, isShared = true) =>
  askForText(ctx, {
    messages: [{ role: "user", content: "hola" }],
    answer: z.string(),
    deadlineMs,
    isShared,
  });

type Fault = ToolkitFault | { kind: "refused" };

const faults: [name: string, fault: Fault, outcome: string, attempts: number][] = [
  ["refused", { kind: "refused" }, "network", 3],
  ["reset", { kind: "reset" }, "network", 3],
  ["500", { kind: "status", status: 500 }, "status_500", 3],
  ["429 for a minute", { kind: "status", status: 429, retryAfterSeconds: 60 }, "status_429", 1],
  ["hanging", { kind: "hang" }, "timeout", 1],
  ["cut off during the response", { kind: "half-body" }, "network", 3],
  ["answering HTML", { kind: "invalid-json" }, "invalid_reply", 1],
  ["answering with another schema", { kind: "wrong-schema" }, "invalid_reply", 1],
];

async function setFault(fault: Fault): Promise<void> {
  if (fault.kind !== "refused") return toolkit.fail(fault);
  const url = `http://127.0.0.1:${await aClosedPort()}`;
  setEnvironment({ EXPO_PUBLIC_TOOLKIT_URL: url, TOOLKIT_API_KEY: "tk_test", LOG_LEVEL: "info" });
}

describe.each(faults)("with the toolkit %s", (_, fault, outcome, attempts) => {
  it.each([
    ["fresh", 0.5 * hours, "kept"],
    ["stale", 2 * hours, "degraded"],
    ["older", 48 * hours, "degraded"],
    ["of last month", 30 * 24 * hours, "unavailable"],
    ["empty", null, "unavailable"],
  ] as const)("uses a cache that is %s within the time limit", async (_age, ageMs, expected) => {
    const now = new Date();
    if (ageMs !== null) {
      await ask(aRequest(new Date(now.getTime() - ageMs)));
      await stores.settled();
    }
    await setFault(fault);
    const ctx = aRequest(now);
    const startedAt = performance.now();
    const answer = await ask(ctx).catch((error: unknown) => error);
    // The attempts' time limit is exact; load on the machine can add to it.
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs + 2000);
    if (expected === "kept") {
      expect(answer).toMatchObject({ value: "Echo: hola", degraded: false });
      expect(ctx.requestMetrics.externalCalls).toEqual([]);
    } else if (expected === "degraded") {
      const ageSeconds = Math.floor((ageMs ?? 0) / 1000);
      expect(answer).toMatchObject({ value: "Echo: hola", degraded: true, ageSeconds });
    } else {
      expect(answer).toBeInstanceOf(AppError);
      expect(answer).toMatchObject({ code: "toolkit_unavailable" });
      const retryAfterSeconds = outcome === "status_429" ? 60 : 1;
      expect(answer).toMatchObject({ retryAfterSeconds });
      expect(ctx.requestMetrics.externalCalls.map((made) => made.outcome)).toEqual(
        Array(attempts).fill(outcome),
      );
      expect(lines.read("external_retry").map(({ data }) => [data.attempt, data.reason])).toEqual(
        Array.from({ length: attempts - 1 }, (_unused, at) => [at + 1, outcome]),
      );
    }
    await stores.settled();
  });
});

describe("calling the toolkit", () => {
  it("retries a temporary failure and logs each attempt", async () => {
    toolkit.fail({ kind: "status", status: 503, times: 2 });
    const ctx = aRequest();
    expect(await ask(ctx)).toMatchObject({ value: "Echo: hola", degraded: false, ageSeconds: 0 });
    expect(ctx.requestMetrics.externalCalls.map(({ outcome }) => outcome)).toEqual([
      "status_503",
      "status_503",
      "ok",
    ]);
    expect(lines.read("external_retry")).toHaveLength(2);
  });

  it("waits for Retry-After", async () => {
    toolkit.fail({ kind: "status", status: 429, retryAfterSeconds: 1, times: 1 });
    const startedAt = performance.now();
    const { value } = await askForText(aRequest(), {
      messages: [{ role: "user", content: "x" }],
      answer: z.string(),
      isShared: false,
    });
    expect(value).toBe("Echo: x");
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  it("does not retry when the key is refused", async () => {
    setEnvironment({ EXPO_PUBLIC_TOOLKIT_URL: toolkit.url, TOOLKIT_API_KEY: "another" });
    const ctx = aRequest();
    await expect(ask(ctx)).rejects.toMatchObject({ code: "toolkit_unavailable" });
    expect(ctx.requestMetrics.externalCalls.map(({ outcome }) => outcome)).toEqual(["status_401"]);
  });

  it("returns a stale answer at once, and a new one to the next call", async () => {
    const before = new Date(Date.now() - 2 * hours);
    await ask(aRequest(before));
    await stores.settled();
    expect(await ask(aRequest())).toMatchObject({ degraded: true, ageSeconds: 7200 });
    await stores.settled();
    expect(await ask(aRequest())).toMatchObject({ degraded: false });
  });

  it("returns a new answer while the Redis client cannot be loaded", async () => {
    installPlatform(platform());
    vi.doMock("@upstash/redis", () => Promise.reject(new Error("too many open files")));
    onTestFinished(() => void vi.doUnmock("@upstash/redis"));
    expect(await ask(aRequest())).toMatchObject({ degraded: false });
    await stores.settled();
  });

  it("does not cache personal answers", async () => {
    await ask(aRequest(), false);
    await stores.settled();
    expect(await stores.redis("KEYS", "toolkit:*")).toEqual([]);
  });

  it("parses JSON in code fences or text", async () => {
    for (const reply of [
      '```json\n{"word":"sol"}\n```',
      'Here: {"word":"sol"}. Bye!',
      'Here [as asked]: {"word":"sol"}',
      '```\nthinking\n```\n```json\n{"word":"sol"}\n```',
      '```json\n{"word":"sol","note":"```sol```"}\n```',
      '```json {"word":"sol"}```',
      'As you know [1], {"word":"sol"}',
    ]) {
      const { value } = await askForText(aRequest(), {
        messages: [{ role: "user", content: reply }],
        answer: z.object({ word: z.string() }),
        isShared: false,
      });
      expect(value).toEqual({ word: "sol" });
    }
  });

  it("sends the schema of the requested object", async () => {
    const { value } = await askForObject(aRequest(), {
      messages: [{ role: "user", content: "sol" }],
      answer: z.object({ word: z.string(), examples: z.array(z.string()) }),
      isShared: false,
    });
    expect(value).toEqual({ word: "sol", examples: ["sol"] });
  });
});

async function aClosedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
