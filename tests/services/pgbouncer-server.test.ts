import { afterAll, describe, expect, it } from "vitest";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.js";
import { times, useTwoProcesses } from "../support/two-processes.js";

let pooler: PgBouncer | undefined;
const processes = useTwoProcesses({
  environment: { RATE_LIMIT_TRUSTED_IPS: "127.0.0.1" },
  async prepareDatabase(databaseUrl) {
    pooler = await startPgBouncer(databaseUrl, "transaction");
    return pooler.through(databaseUrl);
  },
});
afterAll(() => pooler?.stop());

interface Body {
  code?: string;
  id?: string;
  items?: { id: string }[];
}

describe("two servers behind a transaction pooler", () => {
  it("return only the data of the caller", async () => {
    const learners = await Promise.all(times(8, () => processes.aRecordedLearner()));
    const answers: Record<string, number> = {};
    const calls = (round: number) =>
      learners.flatMap((learner, index) =>
        ["/api/user", "/api/user/sessions", "/api/user/preferences", "/api/user/audit"].map(
          async (path, at) => {
            const url = `${processes.at(round + index + at)}${path}`;
            const authorization = `Bearer ${learner.accessToken}`;
            const response = await fetch(url, { headers: { authorization } });
            const body = (await response.json()) as Body;
            const isOwn =
              path === "/api/user"
                ? body.id === learner.userId
                : path !== "/api/user/sessions" || body.items?.[0]?.id === learner.sessionId;
            const answer = `${response.status} ${body.code ?? (isOwn ? "own" : "of another")}`;
            answers[answer] = (answers[answer] ?? 0) + 1;
          },
        ),
      );
    for (const round of times(6, (index) => index)) await Promise.all(calls(round));
    expect(answers).toEqual({ "200 own": 6 * 8 * 4 });
  });

  it("refresh every session", async () => {
    const learners = await Promise.all(times(8, () => processes.aRecordedLearner()));
    const replies = await Promise.all(
      learners.map(({ refreshToken }, turn) => processes.refresh(turn, refreshToken)),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(200));
  });
});
