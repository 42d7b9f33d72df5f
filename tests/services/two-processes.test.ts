import { describe, expect, it } from "vitest";
import { post, times, useTwoProcesses } from "../support/two-processes.js";

const limit = 10;

describe("two processes over the same stores", () => {
  const processes = useTwoProcesses({
    environment: {
      RATE_LIMIT_MAX_REQUESTS: String(limit),
      // The window must not end during a test.
      RATE_LIMIT_WINDOW_MS: String(24 * 3_600_000),
      // All calls come from one address.
      TRUSTED_PROXIES: "",
    },
  });
  const { aLearner, at, logOut, read, redis } = processes;
  const statuses = async (replies: Promise<Response>[]) =>
    (await Promise.all(replies)).map(({ status }) => status);

  it("allow exactly the limit of 100 parallel requests", async () => {
    const learner = await aLearner();
    const seen = await statuses(times(100, (turn) => read(turn, learner)));
    expect(seen.filter((status) => status === 200)).toHaveLength(limit);
    expect(seen.filter((status) => status === 429)).toHaveLength(100 - limit);
  });

  it("hash exactly five of 60 parallel wrong passwords", async () => {
    const { email } = await aLearner();
    const guess = (turn: number) =>
      post(`${at(turn)}/api/auth/login`, { email, password: "not the password" });
    const seen = await statuses(times(60, (turn) => guess(turn)));
    expect(seen.filter((status) => status === 401)).toHaveLength(5);
    expect(seen.filter((status) => status === 429)).toHaveLength(55);
    await redis("DEL", ...((await redis("KEYS", "rate:auth-*")) as string[]));
  });

  it("reset a limit when its key is deleted", async () => {
    const learner = await aLearner();
    await statuses(times(limit, (turn) => read(turn, learner)));
    expect((await read(0, learner)).status).toBe(429);
    const keys = (await redis("KEYS", `rate:*${learner.sessionId}*`)) as string[];
    expect(keys).toHaveLength(1);
    await redis("DEL", ...keys);
    expect((await read(1, learner)).status).toBe(200);
  });

  it("both end a session after a logout or a deleted key", async () => {
    const [first, second] = [await aLearner(), await aLearner()];
    expect((await read(1, first)).status).toBe(200);
    expect((await logOut(0, first)).status).toBe(204);
    expect((await read(1, first)).status).toBe(401);
    await redis("DEL", `session:${second.sessionId}`);
    expect(await statuses([read(0, second), read(1, second)])).toEqual([401, 401]);
  });

  it("log no user out when Redis is flushed under load", async () => {
    const learners = await Promise.all(times(8, aLearner));
    const requests = learners.flatMap((learner) => times(limit, (turn) => ({ learner, turn })));
    const before = requests.slice(0, 20).map(({ learner, turn }) => read(turn, learner));
    await redis("FLUSHDB");
    const after = requests.slice(20).map(({ learner, turn }) => read(turn, learner));
    expect(new Set(await statuses([...before, ...after]))).toEqual(new Set([200]));
    for (const { sessionId } of learners) {
      await expect.poll(() => redis("EXISTS", `session:${sessionId}`)).toBe(1);
    }
    await redis("DEL", ...((await redis("KEYS", "rate:*")) as string[]));
    const again = learners.flatMap((learner) => [0, 1, 2, 3].map((turn) => read(turn, learner)));
    expect(new Set(await statuses(again))).toEqual(new Set([200]));
  });

  it("keep the session and the request count when one is killed", async () => {
    const learner = await aLearner();
    await statuses(times(4, (turn) => read(turn, learner)));
    await processes.servers[0]?.kill();
    processes.servers[0] = await processes.start();
    const seen = await statuses(times(20, (turn) => read(turn, learner)));
    expect(seen.filter((status) => status === 200)).toHaveLength(limit - 4);
  });
});
