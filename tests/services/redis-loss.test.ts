import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sweepSessionKeys } from "../../lib/auth/session/sweep-session-keys.js";
import { env } from "../../lib/env.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
import { aContext } from "../support/context.js";
import { useRedisServer } from "../support/redis-server.js";
import { rotation, type Tokens, times, useTwoProcesses } from "../support/two-processes.js";

const outageMs = 8000;

const redisServer = useRedisServer();
const processes = useTwoProcesses({ redisUrl: () => redisServer.url });
const { aLearner, aRecordedLearner, logIn, logOut, read, refresh } = processes;

let stores: Awaited<ReturnType<typeof openSelfHostedStores>> | undefined;
beforeAll(async () => {
  stores = await openSelfHostedStores(env());
  installPlatform(stores.platform);
});
afterAll(() => stores?.close());
afterEach(async () => {
  redisServer.resume();
  await redisServer.start();
});

/** Run the sweep of the cron, as soon as Redis is reachable. */
async function sweep(): Promise<void> {
  await expect
    .poll(() => sweepSessionKeys(aContext()).then(() => "swept", String), { timeout: 15_000 })
    .toBe("swept");
}

/** Reads succeed on both servers, and a refresh succeeds. */
async function expectSignedIn(people: Tokens[]): Promise<void> {
  for (const person of people) {
    for (const turn of [0, 1]) expect(await retrying(() => read(turn, person))).toBe(200);
    expect(await retrying(() => refresh(0, person.refreshToken, rotation()))).toBe(200);
  }
}
async function expectSignedOut(people: Tokens[]): Promise<void> {
  for (const person of people) {
    for (const turn of [0, 1]) {
      expect(await retrying(() => read(turn, person))).toBe(401);
      expect(await retrying(() => refresh(turn, person.refreshToken, rotation()))).toBe(401);
    }
  }
}

/** Repeat a call that a store did not answer in time, as the app does. */
async function retrying(act: () => Promise<{ status: number }>): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { status } = await act();
    if (status !== 503 && status !== 429) return status;
    await sleep(250);
  }
  return 503;
}

/**
 * Learners who read, refresh, log in and log out on both servers until `stop` is called. No logged-in
 * learner may be refused. `stop` resolves with the learners who are logged in and logged out.
 */
function constantLoad(people: Tokens[], { seats }: { seats: number }) {
  let isOver = false;
  const signedIn: Tokens[] = [];
  const signedOut: Tokens[] = [];
  let actions = 0;

  async function keepLearning(person: Tokens, seat: number): Promise<void> {
    let current = person;
    for (let turn = seat; !isOver; turn++) {
      const headers = rotation("a-device-of-one");
      let next: Tokens | undefined;
      const refreshed = await retrying(async () => {
        const answer = await refresh(turn, current.refreshToken, headers);
        if (answer.pair) next = { ...current, ...answer.pair };
        return answer;
      });
      expect(refreshed).toBe(200);
      current = next ?? current;
      for (const at of [0, 1]) expect(await retrying(() => read(at, current))).toBe(200);
      actions += 3;
      // Refreshes are limited by session and minute.
      await sleep(1000);
    }
    signedIn.push(current);
  }

  async function logInAndOut(account: Tokens & { email: string }, seat: number) {
    for (let turn = seat; !isOver; turn++) {
      let person: Tokens | undefined;
      const status = await retrying(async () => {
        const answer = await logIn(turn, account.email);
        if (answer.pair) person = { ...account, ...answer.pair };
        return answer;
      });
      expect(status).toBe(200);
      if (!person) throw new Error("The login returned no tokens.");
      const { accessToken } = person;
      expect(await retrying(() => read(turn + 1, { accessToken }))).toBe(200);
      expect(await retrying(() => logOut(turn, { accessToken }))).toBe(204);
      signedOut.push(person);
      actions += 3;
      await sleep(200);
    }
  }

  const visitors = times(seats, async (seat) => logInAndOut(await aLearner(seat), seat));
  const all = Promise.all([...people.map(keepLearning), ...visitors]);
  // `stop` reports a failure; without this it would be an unhandled rejection.
  all.catch(() => {});
  return {
    async stop() {
      isOver = true;
      await all;
      return { signedIn, signedOut, actions };
    },
  };
}

const withKeys = async (count: number) => {
  const people = await Promise.all(times(count, () => aRecordedLearner()));
  for (const person of people) expect((await read(0, person)).status).toBe(200);
  return people;
};

describe("Redis flushed under load", () => {
  it("logs no user out, and restores no logged-out session", async () => {
    const load = constantLoad(await withKeys(6), { seats: 2 });
    for (let flush = 0; flush < 5; flush++) {
      await sleep(600);
      await redisServer.command("FLUSHALL");
    }
    const { signedIn, signedOut, actions } = await load.stop();
    expect(actions).toBeGreaterThan(20);
    await expectSignedOut(signedOut);
    await expectSignedIn(signedIn);
  }, 60_000);
});

describe("Redis restored from an older copy", () => {
  it("logs no user out, and restores sessions logged out since the copy only until the sweep", async () => {
    const [early, leaving] = [await withKeys(4), await withKeys(4)];
    await redisServer.save();
    const late = await withKeys(4);
    for (const person of leaving) expect((await logOut(1, person)).status).toBe(204);
    await redisServer.kill();
    await redisServer.start("copy");
    const keys = leaving.map(({ sessionId }) => `session:${sessionId}`);
    expect(await redisServer.command("EXISTS", ...keys)).toBe(keys.length);
    // Their keys are back, but Postgres refuses a refresh, which also deletes the key.
    const [first, ...rest] = leaving;
    if (!first) throw new Error("No learner logged out.");
    const refused = () => refresh(0, first.refreshToken, rotation());
    expect(await retrying(refused)).toBe(401);
    await sweep();
    await expectSignedOut([first, ...rest]);
    await expectSignedIn([...early, ...late]);
  }, 60_000);
});

describe("a Redis outage under load", () => {
  const ways = {
    "hangs and resumes": [() => redisServer.pause(), () => redisServer.resume()],
    "is killed and starts empty": [() => redisServer.kill(), () => redisServer.start()],
  } as const;

  it.each(Object.entries(ways))(
    "logs no user out, and restores no logged-out session after the sweep (%s)",
    async (_, [fail, recover]) => {
      const load = constantLoad(await withKeys(6), { seats: 2 });
      await sleep(1000);
      await fail();
      await sleep(outageMs);
      await recover();
      await sleep(1500);
      const { signedIn, signedOut, actions } = await load.stop();
      expect(actions).toBeGreaterThan(20);
      await sweep();
      await expectSignedOut(signedOut);
      await expectSignedIn(signedIn);
    },
    90_000,
  );
});
