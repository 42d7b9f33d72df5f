import { availableParallelism } from "node:os";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createHashSemaphore,
  type HashSemaphore,
} from "../../../../lib/auth/password/hash-semaphore.js";
import { AppError } from "../../../../lib/errors.js";

let gate: HashSemaphore;
beforeEach(() => {
  vi.useFakeTimers();
  gate = createHashSemaphore(4);
});
afterEach(() => void vi.useRealTimers());

/** A hash that the test finishes. */
function aHash() {
  let end = (_: string) => {};
  let fail = (_: Error) => {};
  let started = false;
  const result = gate(() => {
    started = true;
    return new Promise<string>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
  });
  // The rejection is handled later.
  result.catch(() => {});
  return {
    result,
    hasBegun: () => started,
    end: () => end("done"),
    fail: () => fail(new Error("no memory")),
  };
}
type Hash = ReturnType<typeof aHash>;

const settle = () => vi.advanceTimersByTimeAsync(0);
const started = (hashes: Hash[]) => hashes.map((hash) => hash.hasBegun());
async function endAll(hashes: Hash[]): Promise<void> {
  for (let round = 0; round < hashes.length; round++) {
    for (const hash of hashes) hash.end();
    await settle();
  }
}

describe("the hash gate", () => {
  it("runs four hashes at once, the others in order of arrival", async () => {
    const hashes = Array.from({ length: 6 }, aHash);
    await settle();
    expect(started(hashes)).toEqual([true, true, true, true, false, false]);
    hashes[2]?.end();
    await settle();
    expect(started(hashes)).toEqual([true, true, true, true, true, false]);
    hashes[0]?.end();
    await settle();
    expect(started(hashes)).toEqual([true, true, true, true, true, true]);
    await endAll(hashes);
    expect(await Promise.all(hashes.map(({ result }) => result))).toEqual(Array(6).fill("done"));
  });

  it("returns 503 with Retry-After after 500 ms without hashing", async () => {
    const running = Array.from({ length: 4 }, aHash);
    const waiting = aHash();
    await vi.advanceTimersByTimeAsync(499);
    const later = aHash();
    await vi.advanceTimersByTimeAsync(1);
    const refusal = await waiting.result.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(AppError);
    expect(refusal).toMatchObject({ code: "service_unavailable", retryAfterSeconds: 1 });
    expect(waiting.hasBegun()).toBe(false);

    running[0]?.end();
    await settle();
    expect(later.hasBegun()).toBe(true);
    expect(waiting.hasBegun()).toBe(false);
    await endAll([...running, later]);
  });

  it("continues after failed hashes", async () => {
    const hashes = Array.from({ length: 8 }, aHash);
    await settle();
    for (let round = 0; round < 2; round++) {
      for (const hash of hashes) hash.fail();
      await settle();
    }
    const outcomes = await Promise.allSettled(hashes.map(({ result }) => result));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill("rejected"));

    const next = Array.from({ length: 5 }, aHash);
    await settle();
    expect(started(next)).toEqual([true, true, true, true, false]);
    await endAll(next);
  });

  it("is shared by all functions of the process", async () => {
    const { withHashPermit } = await import("../../../../lib/auth/password/hash-semaphore.js");
    gate = withHashPermit;
    const running = Array.from({ length: Math.min(4, availableParallelism()) }, aHash);
    vi.resetModules();
    const { withHashPermit: gateOfAnotherBundle } = await import(
      "../../../../lib/auth/password/hash-semaphore.js"
    );
    let hashed = false;
    const other = gateOfAnotherBundle(async () => {
      hashed = true;
    });
    await settle();
    expect(started(running)).not.toContain(false);
    expect(hashed).toBe(false);
    await endAll(running);
    await other;
    expect(hashed).toBe(true);
  });
});
