import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import {
  counterOf,
  rotation,
  type Tokens,
  times,
  useTwoProcesses,
} from "../support/two-processes.js";

const limit = 400;
const durationMs = 15_000;
const paceMs = 1000;

const processes = useTwoProcesses({
  environment: {
    RATE_LIMIT_MAX_REQUESTS: String(limit),
    // The window must not end during the test.
    RATE_LIMIT_WINDOW_MS: String(24 * 3_600_000),
  },
});
const { aLearner, aRecordedLearner, logIn, read, refresh, sql } = processes;

let turn = 0;

/**
 * Like the app: repeat a call on the next server when the connection breaks or a store does not answer
 * in time.
 */
async function untilAnswered<Reply extends { status: number }>(
  act: (turn: number) => Promise<Reply>,
): Promise<Reply> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const reply = await act(turn++).catch(() => undefined);
    if (reply && reply.status !== 503) return reply;
    await sleep(25);
  }
  throw new Error("No server answered 200 times.");
}

/** Kill one server after the other; each is running again before the next kill. */
async function killInTurn(isOver: () => boolean): Promise<number> {
  let kills = 0;
  while (!isOver()) {
    const next = sleep(paceMs);
    const index = kills % processes.servers.length;
    await processes.servers[index]?.kill();
    processes.servers[index] = await processes.start();
    kills += 1;
    await next;
  }
  return kills;
}

async function exhaustLimit(person: Tokens): Promise<void> {
  for (let isRefused = false; !isRefused; ) {
    const replies = await Promise.all(times(10, (at) => read(at, person)));
    isRefused = replies.some(({ status }) => status === 429);
  }
}

describe("servers killed about once a second under load", () => {
  it("lose no session, keep every rate limit, and accept every refresh", async () => {
    let isOver = false;
    let allowed = 0;
    const done = { reads: 0, refreshes: 0, logins: 0, refusals: 0 };

    async function keepReading(person: Tokens): Promise<void> {
      // Fewer than the limit, repetitions included.
      for (let count = 0; !isOver && count < limit / 2; count++) {
        expect((await untilAnswered((at) => read(at, person))).status).toBe(200);
        done.reads += 1;
        await sleep(100);
      }
    }

    async function keepRefreshing(person: Tokens): Promise<Tokens> {
      let current = person;
      while (!isOver) {
        const headers = rotation("a-device-of-one");
        const token = current.refreshToken;
        const { status, pair } = await untilAnswered((at) => refresh(at, token, headers));
        expect(status).toBe(200);
        expect(counterOf(pair?.refreshToken ?? "")).toBe(counterOf(token) + 1);
        current = { ...current, ...pair };
        done.refreshes += 1;
        // Refreshes are limited by session and minute.
        await sleep(1200);
      }
      return current;
    }

    async function keepLoggingIn(email: string): Promise<Pick<Tokens, "accessToken">[]> {
      const begun: TokenPair[] = [];
      while (!isOver) {
        const { status, pair } = await untilAnswered((at) => logIn(at, email));
        expect(status).toBe(200);
        if (pair) begun.push(pair);
        done.logins += 1;
        await sleep(500);
      }
      return begun;
    }

    /** A new server that does not reach Redis in time uses its own count, which starts at zero. */
    async function keepExceedingLimit(person: Tokens): Promise<void> {
      while (!isOver) {
        const { status } = await untilAnswered((at) => read(at, person));
        if (status === 429) done.refusals += 1;
        else allowed += 1;
        await sleep(100);
      }
    }

    const readers = await Promise.all(times(4, () => aRecordedLearner()));
    const refreshers = await Promise.all(times(6, () => aRecordedLearner()));
    const visitor = await aLearner();
    const limited = await aRecordedLearner();
    await exhaustLimit(limited);

    const killing = killInTurn(() => isOver);
    const load = Promise.all([
      Promise.all(refreshers.map(keepRefreshing)),
      keepLoggingIn(visitor.email),
      keepExceedingLimit(limited),
      ...readers.map(keepReading),
    ]);
    let kills = 0;
    try {
      await Promise.race([sleep(durationMs), load]);
    } finally {
      isOver = true;
      kills = await killing;
    }
    const [refreshed, begun] = await load;

    console.info(`${kills} kills in ${durationMs / 1000} s; ${JSON.stringify(done)}`);
    // With fewer kills, starting took too long for a meaningful test.
    expect(kills).toBeGreaterThanOrEqual(8);
    for (const count of Object.values(done)) expect(count).toBeGreaterThan(0);
    expect(allowed).toBeLessThan(done.refusals / 10);
    expect((await untilAnswered((at) => read(at, limited))).status).toBe(429);
    for (const person of [...readers, ...refreshed]) {
      expect((await untilAnswered((at) => read(at, person))).status).toBe(200);
    }
    // The oldest sessions of a user are displaced; the newest are valid.
    for (const session of begun.slice(-5)) {
      expect((await untilAnswered((at) => read(at, session))).status).toBe(200);
    }
    const reused = await sql("select 1 from sessions where revoked_reason = 'token_reuse'");
    expect(reused).toHaveLength(0);
  }, 120_000);
});
