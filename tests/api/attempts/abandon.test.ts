import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { abandon, complete, solve, start } from "../../support/attempts.js";
import { lessonId, publishCourse } from "../../support/course.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

const hello = lessonId("hello");

describe("POST /api/attempts/:attemptId/abandon", () => {
  it("ends the attempt, so that the next start begins anew", async () => {
    const ada = await aUser();
    const { body } = await start(ada, hello);
    const ended = await abandon(ada, body.attempt.id);
    expect(ended.status).toBe(200);
    expect(ended.body.attempt).toEqual({ ...body.attempt, state: "abandoned" });
    expect(await start(ada, hello)).toMatchObject({ status: 201 });
  });

  it("can be repeated without another write", async () => {
    const ada = await aUser();
    const { body } = await start(ada, hello);
    const first = await abandon(ada, body.attempt.id);
    await stores.resetCalls();
    expect(await abandon(ada, body.attempt.id)).toMatchObject({ status: 200, body: first.body });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("costs 1 Redis round trip and 2 Postgres calls", async () => {
    const ada = await aUser();
    const { body } = await start(ada, hello);
    await stores.resetCalls();
    await abandon(ada, body.attempt.id);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
  });

  it("returns 409 attempt_not_open for a completed attempt, and 404 for an unknown one", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    await complete(ada, attemptId);
    const refused = await abandon(ada, attemptId);
    expect(refused).toMatchObject({ status: 409, code: "attempt_not_open" });
    expect(await abandon(ada, randomUUID())).toMatchObject({ status: 404, code: "not_found" });
  });

  it("lets either the completion or the abandonment win when both come at once", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const [completed, abandoned] = await Promise.all([
      complete(ada, attemptId),
      abandon(ada, attemptId),
    ]);
    expect([completed.status, abandoned.status].sort()).toEqual([200, 409]);
    const [row] = await stores.sql("select state from attempts where id = $1", attemptId);
    expect(row?.state).toBe(completed.status === 200 ? "completed" : "abandoned");
  });
});
