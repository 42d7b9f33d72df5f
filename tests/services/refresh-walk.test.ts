import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerOf,
  newSession,
  type Presented,
  type RefreshModel,
} from "../support/refresh-model.js";
import { counterOf, type PairReply, useTwoProcesses } from "../support/two-processes.js";

const walks = 80;
const stepsMax = 12;
const seed = Date.now() % 2 ** 31;

const processes = useTwoProcesses();
const { aRecordedLearner, logOut, read, refresh, sql } = processes;

/** A client that holds a token of the session. */
interface Holder {
  sendsHeaders: boolean;
  device: string;
  token: string;
  /** Calls whose replies were lost: they are repeated unchanged. */
  lost: { token: string; headers: Record<string, string> }[];
}

type Who = "owner" | "thief";
type Step =
  | { do: "refresh" | "race"; who: Who; isLost: boolean }
  | { do: "steal" }
  | { do: "raceEachOther" }
  | { do: "garbage" }
  | { do: "wait"; seconds: number };

const who = fc.constantFrom<Who>("owner", "owner", "thief");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: calls("refresh") },
  { weight: 2, arbitrary: calls("race") },
  { weight: 2, arbitrary: fc.constant({ do: "steal" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "raceEachOther" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "garbage" as const }) },
  {
    weight: 3,
    // No sum of these is near a limit of the table, so that the duration of a walk has no effect.
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      seconds: fc.constantFrom(16, 700, 90_000),
    }),
  },
);
const walk = fc.record({
  ownerSendsHeaders: fc.boolean(),
  thief: fc.constantFrom("absent", "without headers", "with headers", "on the same device"),
  steps: fc.array(step, { minLength: 4, maxLength: stepsMax }),
  endsByLogOut: fc.boolean(),
});

type Plan = typeof walk extends fc.Arbitrary<infer Value> ? Value : never;

function calls<Name extends "refresh" | "race">(name: Name) {
  return fc.record({ do: fc.constant(name), who, isLost: fc.boolean() });
}

describe(`${walks} random walks of an owner and a thief over two processes (seed ${seed})`, () => {
  it("get the replies that the refresh table specifies", async () => {
    await fc.assert(
      fc.asyncProperty(walk, (plan) => runWalk(plan)),
      { numRuns: walks, seed },
    );
  }, 120_000);
});

async function runWalk(plan: Plan): Promise<void> {
  const learner = await aRecordedLearner();
  const { sessionId } = learner;
  const owner: Holder = {
    sendsHeaders: plan.ownerSendsHeaders,
    device: "the-owner-s-device",
    token: learner.refreshToken,
    lost: [],
  };
  const thief: Holder = {
    sendsHeaders: plan.thief !== "without headers",
    device: plan.thief === "on the same device" ? owner.device : "the-thief-s-device",
    token: "",
    lost: [],
  };
  const holders = { owner, thief };
  const given = [learner.refreshToken];
  const accessTokens = [learner.accessToken];
  let now = 0;
  let turn = 0;
  let wasStolen = false;
  let racedAt = Number.NEGATIVE_INFINITY;
  let racesTwice = false;
  let counter = 0;
  /** All possible states, because the order of two parallel calls is unknown. */
  let possible: RefreshModel[] = [newSession];

  const recordOf = async () => (await sql("select * from sessions where id = $1", [sessionId]))[0];

  async function send(holder: Holder, calls: Holder["lost"], isLost: boolean): Promise<void> {
    const answers = await Promise.all(
      calls.map(({ token, headers }) => refresh(turn++, token, headers)),
    );
    judge(calls, answers);
    holder.lost = isLost ? calls : [];
    const [pair] = answers.flatMap((answer) => answer.pair ?? []);
    if (pair && !isLost) holder.token = pair.refreshToken;
    for (const answer of answers) keep(answer);
  }

  function keep({ pair }: PairReply): void {
    if (!pair) return;
    given.push(pair.refreshToken);
    accessTokens.push(pair.accessToken);
  }

  function judge(calls: Holder["lost"], answers: PairReply[]): void {
    const seen = answers.map(({ status, code, pair }): Answer => {
      if (pair) return { successor: counterOf(pair.refreshToken) };
      expect({ status, code }).toEqual({ status: 401, code: "session_revoked" });
      return "ended";
    });
    possible = possible.flatMap((session) =>
      orders(calls.map((_, index) => index)).flatMap((order) => {
        let after = session;
        const expected: Answer[] = [];
        for (const index of order) {
          const call = calls[index] ?? never();
          [expected[index], after] = answerOf(after, presentedIn(call), now);
        }
        return JSON.stringify(expected) === JSON.stringify(seen) ? [after] : [];
      }),
    );
    expect(possible, `no order of the calls explains ${JSON.stringify(seen)}`).not.toHaveLength(0);
  }

  /** A client first repeats a call whose reply was lost, unchanged. */
  const callOf = (holder: Holder) => holder.lost.at(-1) ?? newCall(holder);

  async function take(step: Step): Promise<void> {
    if (step.do === "wait") {
      now += step.seconds;
      await sql(
        `update sessions set rotated_at = rotated_at - make_interval(secs => $2),
          concurrent_at = concurrent_at - make_interval(secs => $2),
          repeated_at = repeated_at - make_interval(secs => $2) where id = $1`,
        [sessionId, step.seconds],
      );
    } else if (step.do === "garbage") {
      const before = await recordOf();
      const forged = owner.token.replace(/\.\d+\./, (part) => `.${Number(part.slice(1, -1)) + 1}.`);
      expect(await refresh(turn++, forged)).toMatchObject({ status: 401, code: "token_invalid" });
      expect(await recordOf()).toEqual(before);
    } else if (step.do === "raceEachOther") {
      if (!thief.token) return;
      const calls = [callOf(owner), callOf(thief)];
      const answers = await Promise.all(
        calls.map(({ token, headers }) => refresh(turn++, token, headers)),
      );
      judge(calls, answers);
      for (const [index, holder] of [owner, thief].entries()) {
        const answer = answers[index] ?? never();
        holder.token = answer.pair?.refreshToken ?? holder.token;
        holder.lost = [];
        keep(answer);
      }
    } else if (step.do === "steal") {
      if (plan.thief === "absent") return;
      wasStolen = true;
      thief.token = owner.token;
      thief.lost = [];
    } else {
      const holder = holders[step.who];
      if (!holder.token) return;
      const isRace = step.do === "race" && holder.lost.length === 0;
      if (isRace && holder === owner) {
        racesTwice ||= now - racedAt <= 600;
        racedAt = now;
      }
      const calls = isRace ? [newCall(holder), newCall(holder)] : [callOf(holder)];
      await send(holder, calls, step.isLost);
    }
  }

  for (const next of plan.steps) {
    await take(next);
    const row = await recordOf();
    // One lineage: the recorded counter never decreases, for any replies.
    expect(row?.refresh_counter).toBeGreaterThanOrEqual(counter);
    counter = row?.refresh_counter;
    possible = possible.filter(
      (session) => session.counter === counter && session.isEnded === (row?.revoked_at !== null),
    );
    expect(possible, "the record matches the table").not.toHaveLength(0);
    // An owner that sends the headers, whose token was not stolen, and who does not race itself twice in ten
    // minutes, is never logged out.
    if (!wasStolen && plan.ownerSendsHeaders && !racesTwice) expect(row?.revoked_at).toBeNull();
  }

  if (plan.endsByLogOut) {
    expect((await logOut(turn++, learner)).status).toBe(204);
    possible = possible.map((session) => ({ ...session, isEnded: true }));
  }
  const isEnded = possible.every((session) => session.isEnded);
  for (const at of [0, 1]) {
    const expected = isEnded ? 401 : 200;
    const newest = accessTokens.at(-1) ?? never();
    expect((await read(at, { accessToken: newest })).status).toBe(expected);
    expect((await read(at, learner)).status).toBe(expected);
    if (!isEnded) continue;
    for (const token of given) {
      expect((await refresh(at, token)).status).toBe(401);
    }
  }
}

function newCall({ token, sendsHeaders, device }: Holder): Holder["lost"][number] {
  const rotationId = randomBytes(16).toString("base64url");
  const headers = { "rotation-id": rotationId, "device-id": device };
  return { token, headers: sendsHeaders ? headers : {} };
}

function presentedIn({ token, headers }: Holder["lost"][number]): Presented {
  const [rotationId, device] = [headers["rotation-id"] ?? null, headers["device-id"] ?? null];
  return { counter: counterOf(token), rotationId, device };
}

function orders(indexes: number[]): number[][] {
  if (indexes.length < 2) return [indexes];
  return indexes.flatMap((first) =>
    orders(indexes.filter((index) => index !== first)).map((rest) => [first, ...rest]),
  );
}

function never(): never {
  throw new Error("Unreachable: a call or a token is missing.");
}
