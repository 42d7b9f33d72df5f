import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endSessionKeys } from "../../lib/auth/session/session-keys.js";
import { redisOverSocket } from "../../lib/platform/redis-transport/over-socket.js";
import { RoundTrip } from "../../lib/redis/round-trip.js";
import {
  counterOf,
  type PairReply,
  rotation,
  type Tokens,
  times,
  useTwoProcesses,
} from "../support/two-processes.js";

const runs = 100;
const runsAtOnce = 5;

const processes = useTwoProcesses();
const { aRecordedLearner, logOut, read, refresh, sql, transaction } = processes;

let ownRedis: ReturnType<typeof redisOverSocket>;
beforeAll(() => {
  ownRedis = redisOverSocket(processes.environment.REDIS_URL ?? "");
});
afterAll(() => ownRedis.close());

const recordOf = async ({ sessionId }: Pick<Tokens, "sessionId">) =>
  (await sql("select * from sessions where id = $1", [sessionId]))[0];
const countEvents = ({ userId }: Tokens, event: string) =>
  sql("select sum(count)::int as sum from security_events where user_id = $1 and event = $2", [
    userId,
    event,
  ]).then(([row]) => row?.sum ?? 0);
const countNotices = ({ userId }: Tokens) =>
  sql("select 1 from queue_entries where payload -> 'to' ->> 'userId' = $1", [userId]).then(
    (rows) => rows.length,
  );
const successors = (answers: PairReply[]) =>
  new Set(answers.flatMap(({ pair }) => (pair ? [pair.refreshToken] : [])));
const statuses = (answers: { status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

/** Every token that was ever issued fails on both servers, for reads and for refreshes. */
async function expectRevoked(tokens: Omit<Tokens, "userId">[]): Promise<void> {
  for (const { sessionId } of tokens) await keysEnded(sessionId);
  for (const each of tokens) {
    for (const turn of [0, 1]) {
      expect((await read(turn, each)).status).toBe(401);
      expect((await refresh(turn, each.refreshToken, rotation())).status).toBe(401);
    }
  }
}

/**
 * The keys are gone at once, unless Redis did not answer a server in time: then the server logs it, and
 * leaves the keys to the sweep of each minute.
 */
async function keysEnded(sessionId: string): Promise<void> {
  if ((await processes.redis("GET", `known-session:${sessionId}`)) === "ended") return;
  const outputs = () => processes.servers.map((server) => server.output()).join();
  await expect.poll(outputs, { timeout: 10_000 }).toContain("session_keys_undeleted");
  await endKeys(sessionId);
}

async function endKeys(sessionId: string): Promise<void> {
  const attempt = async () => {
    const trip = new RoundTrip(ownRedis.requester);
    await Promise.all([endSessionKeys(trip, [sessionId]), trip.send()]);
    return "ended";
  };
  await expect.poll(() => attempt().catch(String), { timeout: 10_000 }).toBe("ended");
}

describe("50 parallel refreshes of one token over two processes", () => {
  it("get one successor and count once, with one Rotation-Id", async () => {
    const learner = await aRecordedLearner();
    const headers = rotation("the-same-device");
    const answers = await Promise.all(
      times(50, (turn) => refresh(turn, learner.refreshToken, headers)),
    );
    expect(statuses(answers, 200)).toBe(50);
    expect(successors(answers).size).toBe(1);
    expect(await recordOf(learner)).toMatchObject({ refresh_counter: 1, revoked_at: null });
    const [{ pair } = {}] = answers;
    expect((await refresh(0, pair?.refreshToken ?? "", rotation())).status).toBe(200);
    expect(await countEvents(learner, "token_reuse")).toBe(0);
  });

  it("get one successor and count once, without the header", async () => {
    const learner = await aRecordedLearner();
    const answers = await Promise.all(times(50, (turn) => refresh(turn, learner.refreshToken)));
    expect(statuses(answers, 200)).toBe(50);
    expect(successors(answers).size).toBe(1);
    expect(await recordOf(learner)).toMatchObject({ refresh_counter: 1, revoked_at: null });
  });

  it("get one successor and record refresh_concurrent, with 50 Rotation-Ids of one device", async () => {
    const learner = await aRecordedLearner();
    const answers = await Promise.all(
      times(50, (turn) => refresh(turn, learner.refreshToken, rotation("the-same-device"))),
    );
    expect(statuses(answers, 200)).toBe(50);
    expect(successors(answers).size).toBe(1);
    expect(await recordOf(learner)).toMatchObject({ refresh_counter: 1, revoked_at: null });
    await expect
      .poll(() => countEvents(learner, "refresh_concurrent"), { timeout: 10_000 })
      .toBe(49);
  });

  it("revoke the session once, from different devices", async () => {
    const learner = await aRecordedLearner();
    const answers = await Promise.all(
      times(50, (turn) => refresh(turn, learner.refreshToken, rotation(`device-no-${turn}`))),
    );
    expect(statuses(answers, 200)).toBe(1);
    expect(statuses(answers, 401)).toBe(49);
    expect(await recordOf(learner)).toMatchObject({ revoked_reason: "token_reuse" });
    await expectRevoked([learner, ...answers.flatMap(({ pair }) => (pair ? [pair] : []))]);
    await expect.poll(() => countEvents(learner, "token_reuse"), { timeout: 10_000 }).toBe(1);
    expect(await countNotices(learner)).toBe(1);
  });
});

describe("a thief and a victim over two processes", () => {
  it("are both logged out on both servers by the next request", async () => {
    const learner = await aRecordedLearner();
    const theft = await refresh(0, learner.refreshToken, rotation("the-thief-s-device"));
    expect(theft.status).toBe(200);
    const victim = await refresh(1, learner.refreshToken, rotation("the-own-device"));
    expect(victim).toMatchObject({ status: 401, code: "session_revoked" });
    await expectRevoked([learner, ...(theft.pair ? [theft.pair] : [])]);
  });

  it.each([
    ["with headers", (who: string) => rotation(who)],
    ["with the headers of one device", () => rotation("the-same-device")],
    ["without headers", () => ({})],
    [
      "the thief without headers",
      (who: string) => (who.startsWith("thief") ? {} : rotation("the-same-device")),
    ],
    [
      "the thief without a Rotation-Id",
      (who: string): Record<string, string> =>
        who.startsWith("thief") ? { "device-id": "the-same-device" } : rotation("the-same-device"),
    ],
  ])("are detected in the second of ten rounds at the latest (%s)", async (_, headers) => {
    const learner = await aRecordedLearner();
    const held = { thief: learner.refreshToken, victim: learner.refreshToken };
    let detectedIn = 0;
    for (let round = 1; round <= 10; round++) {
      for (const who of ["thief", "victim"] as const) {
        const answer = await refresh(round, held[who], headers(`${who}-s-own-device`));
        if (answer.status === 401 && detectedIn === 0) detectedIn = round;
        if (detectedIn > 0) expect(answer).toMatchObject({ status: 401, code: "session_revoked" });
        held[who] = answer.pair?.refreshToken ?? held[who];
      }
    }
    expect([1, 2]).toContain(detectedIn);
    expect(await recordOf(learner)).toMatchObject({ revoked_reason: "token_reuse" });
  });
});

describe(`a refresh parallel to the end of its session, ${runs} times`, () => {
  /** Each resolves when the call that ends the session would have its reply. */
  const endings = {
    async logout(learner: Tokens, run: number) {
      expect((await logOut(run, learner)).status).toBe(204);
    },
    async suspension(learner: Tokens) {
      await transaction(
        ["update users set suspended_at = now() where id = $1", [learner.userId]],
        [
          `update sessions set revoked_at = now(), revoked_reason = 'account_suspended'
          where user_id = $1 and revoked_at is null`,
          [learner.userId],
        ],
      );
      await endKeys(learner.sessionId);
    },
    async deletion(learner: Tokens) {
      await sql("delete from users where id = $1", [learner.userId]);
      await endKeys(learner.sessionId);
    },
  };

  /** In every third run the keys are missing, so that the refresh writes them back. */
  async function race(end: (learner: Tokens, run: number) => Promise<void>, run: number) {
    const learner = await aRecordedLearner();
    if (run % 3 > 0) expect((await read(run, learner)).status).toBe(200);
    const headers = rotation("the-own-device");
    const refreshing = [0, 1, 2].map(async (turn) => {
      if (turn > 0) await new Promise((resolve) => setTimeout(resolve, (run % 5) * turn));
      return refresh(run + turn, learner.refreshToken, headers);
    });
    const [answers] = await Promise.all([Promise.all(refreshing), end(learner, run)]);
    for (const { status } of answers) expect([200, 401]).toContain(status);
    const given = answers.flatMap(({ pair }) => (pair ? [pair] : [])).slice(-1);
    for (const { refreshToken } of given) expect(counterOf(refreshToken)).toBe(1);
    await expectRevoked([learner, ...given]);
    return { learner, given };
  }

  it.each(Object.keys(endings) as (keyof typeof endings)[])(
    "leaves no valid token (%s)",
    async (ending) => {
      const raced: Awaited<ReturnType<typeof race>>[] = [];
      for (let from = 0; from < runs; from += runsAtOnce) {
        const batch = times(runsAtOnce, (index) => race(endings[ending], from + index));
        raced.push(...(await Promise.all(batch)));
      }
      // Otherwise the end of the session was always first, and there was no race.
      expect(raced.flatMap(({ given }) => given)).not.toHaveLength(0);
      // By now the work that refreshes do after their replies is finished.
      for (const { learner } of raced) expect((await read(0, learner)).status).toBe(401);
    },
    120_000,
  );

  it("returns 204 to two parallel logouts", async () => {
    const learner = await aRecordedLearner();
    const answers = await Promise.all([logOut(0, learner), logOut(1, learner)]);
    expect(statuses(answers, 204)).toBe(2);
    expect(await recordOf(learner)).toMatchObject({ revoked_reason: "logged_out" });
    expect((await logOut(0, learner)).status).toBe(204);
    await expectRevoked([learner]);
  });
});
