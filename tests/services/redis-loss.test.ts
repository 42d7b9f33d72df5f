import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sweepSessionKeys } from "../../lib/auth/session/sweep.js";
import { env } from "../../lib/env.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
import { aContext } from "../support/context.js";
import { useRedisServer } from "../support/redis-server.js";
import { rotation, type Tokens, times, useTwoProcesses } from "../support/two-processes.js";

const awayMs = 8000;

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

/** What the clock does each minute, as soon as Redis can be reached. */
async function sweep(): Promise<void> {
  await expect
    .poll(() => sweepSessionKeys(aContext()).then(() => "swept", String), { timeout: 15_000 })
    .toBe("swept");
}

/** Reads and refreshes on both servers are what they should be. */
async function expectSignedIn(people: Tokens[]): Promise<void> {
  for (const person of people) {
    for (const turn of [0, 1]) expect(await patiently(() => read(turn, person))).toBe(200);
    expect(await patiently(() => refresh(0, person.refreshToken, rotation()))).toBe(200);
  }
}
async function expectSignedOut(people: Tokens[]): Promise<void> {
  for (const person of people) {
    for (const turn of [0, 1]) {
      expect(await patiently(() => read(turn, person))).toBe(401);
      expect(await patiently(() => refresh(turn, person.refreshToken, rotation()))).toBe(401);
    }
  }
}

/** Repeat what a store could not answer in time, as an app does. */
async function patiently(act: () => Promise<{ status: number }>): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { status } = await act();
    if (status !== 503 && status !== 429) return status;
    await sleep(250);
  }
  return 503;
}

/**
 * Learners who read, refresh, sign in and out on both servers without a pause, until they are told to
 * stop; nobody who is signed in may be refused. Resolves with who is signed in then, and who is not.
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
      const refreshed = await patiently(async () => {
        const answer = await refresh(turn, current.refreshToken, headers);
        if (answer.pair) next = { ...current, ...answer.pair };
        return answer;
      });
      expect(refreshed).toBe(200);
      current = next ?? current;
      for (const at of [0, 1]) expect(await patiently(() => read(at, current))).toBe(200);
      actions += 3;
      // Refreshes are limited by session and minute.
      await sleep(1000);
    }
    signedIn.push(current);
  }

  async function comeAndGo(account: Tokens & { email: string }, seat: number) {
    for (let turn = seat; !isOver; turn++) {
      let person: Tokens | undefined;
      const status = await patiently(async () => {
        const answer = await logIn(turn, account.email);
        if (answer.pair) person = { ...account, ...answer.pair };
        return answer;
      });
      expect(status).toBe(200);
      if (!person) throw new Error("A sign-in gave no tokens.");
      const { accessToken } = person;
      expect(await patiently(() => read(turn + 1, { accessToken }))).toBe(200);
      expect(await patiently(() => logOut(turn, { accessToken }))).toBe(204);
      signedOut.push(person);
      actions += 3;
      await sleep(200);
    }
  }

  const comers = times(seats, async (seat) => comeAndGo(await aLearner(seat), seat));
  const all = Promise.all([...people.map(keepLearning), ...comers]);
  // A failure is told by `stop`, not as a rejection that nobody awaits.
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

describe("a Redis that is emptied under load", () => {
  it("signs nobody out, and brings nobody back", async () => {
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

describe("a Redis that fails over to an older copy", () => {
  it("signs nobody out, and brings back who signed out since until the sweep, no longer", async () => {
    const [early, leaving] = [await withKeys(4), await withKeys(4)];
    await redisServer.save();
    const late = await withKeys(4);
    for (const person of leaving) expect((await logOut(1, person)).status).toBe(204);
    await redisServer.kill();
    await redisServer.start("copy");
    const keys = leaving.map(({ sessionId }) => `session:${sessionId}`);
    expect(await redisServer.command("EXISTS", ...keys)).toBe(keys.length);
    // Their keys are back, but the record refuses to refresh, and takes its key along.
    const [first, ...rest] = leaving;
    if (!first) throw new Error("Nobody left.");
    const refused = () => refresh(0, first.refreshToken, rotation());
    expect(await patiently(refused)).toBe(401);
    await sweep();
    await expectSignedOut([first, ...rest]);
    await expectSignedIn([...early, ...late]);
  }, 60_000);
});

describe("a Redis that is away for a while under load", () => {
  const ways = {
    "hangs, and goes on": [() => redisServer.pause(), () => redisServer.resume()],
    "is killed, and starts empty": [() => redisServer.kill(), () => redisServer.start()],
  } as const;

  it.each(Object.entries(ways))(
    "signs nobody out, and brings nobody back beyond the sweep (%s)",
    async (_, [leave, comeBack]) => {
      const load = constantLoad(await withKeys(6), { seats: 2 });
      await sleep(1000);
      await leave();
      await sleep(awayMs);
      await comeBack();
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
