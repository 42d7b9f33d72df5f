import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import startRoute from "../../../api/lessons/[lessonId]/attempts.js";
import { contentId } from "../../../dev/content/ids.js";
import { abandon, answer, complete, solve, start } from "../../support/attempts.js";
import { call } from "../../support/call.js";
import { lessonId, publishCourse, rightAnswer } from "../../support/course.js";
import { aGuest, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

const hello = lessonId("hello");
const becomePremium = (userId: string) =>
  stores.sql("update users set is_premium = true where id = $1", userId);

describe("POST /api/lessons/:lessonId/attempts", () => {
  it("returns 201 with the exercises, without right answers", async () => {
    const ada = await aUser();
    const attemptId = randomUUID();
    const { status, body } = await start(ada, hello, attemptId);
    expect(status).toBe(201);
    const startedAt = expect.any(String);
    const courseId = contentId("it-en");
    expect(body.attempt).toEqual({
      ...{ id: attemptId, lessonId: hello, courseId, version: 1, state: "started", startedAt },
    });
    expect(body.answered).toEqual([]);
    expect(body.exercises.map(({ type }: { type: string }) => type)).toEqual([
      ...["translate", "typing", "fill_blank", "select_missing", "multiple_choice"],
      ...["match_pairs", "listening", "speaking", "word_order"],
    ]);
    expect(JSON.stringify(body.exercises)).not.toContain("città");
    expect(JSON.stringify(body.exercises)).not.toContain('"right":"');
  });

  it("costs 1 Redis round trip and 2 Postgres calls", async () => {
    const ada = await aUser();
    await stores.resetCalls();
    await start(ada, hello);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
  });

  it("keeps the order of options, tiles and pairs in an attempt, and varies it between attempts", async () => {
    const ada = await aUser();
    const first = await start(ada, hello);
    const again = await start(ada, hello);
    expect(again.body.exercises).toEqual(first.body.exercises);
    const orders = new Set<string>();
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const { body } = await start(ada, hello);
      orders.add(JSON.stringify(body.exercises));
      await abandon(ada, body.attempt.id);
    }
    expect(orders.size).toBeGreaterThan(3);
  });

  it("returns the open attempt with its answers, whatever ID is sent", async () => {
    const ada = await aUser();
    const first = await start(ada, hello);
    const [exercise] = first.body.exercises;
    await answer(ada, first.body.attempt.id, exercise.id, { text: "xyzzy" });
    await answer(ada, first.body.attempt.id, exercise.id, rightAnswer(exercise));
    const again = await start(ada, hello);
    expect(again.status).toBe(200);
    expect(again.body.attempt).toEqual(first.body.attempt);
    expect(again.body.answered).toMatchObject([
      { exerciseId: exercise.id, tryNumber: 1, verdict: "wrong" },
      { exerciseId: exercise.id, tryNumber: 2, verdict: "right" },
    ]);
  });

  it("returns the same attempt for the same ID, also after its end", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    await complete(ada, attemptId);
    await start(ada, hello);
    const again = await start(ada, hello, attemptId.toUpperCase());
    expect(again).toMatchObject({
      status: 200,
      body: { attempt: { id: attemptId, state: "completed" } },
    });
  });

  it("returns 422 for the ID of an attempt of another lesson", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    await complete(ada, attemptId);
    expect(await start(ada, lessonId("thanks"), attemptId)).toMatchObject({
      status: 422,
      code: "idempotency_mismatch",
    });
  });

  it("starts one attempt for 8 parallel calls", async () => {
    const ada = await aUser();
    const starts = await Promise.all(Array.from({ length: 8 }, () => start(ada, hello)));
    expect(starts.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(starts.map(({ body }) => body.attempt.id)).size).toBe(1);
    const rows = await stores.sql("select id from attempts where user_id = $1", ada.user.id);
    expect(rows).toHaveLength(1);
  });

  it("does not find the attempt of another account", async () => {
    const [ada, eve] = [await aUser(), await aUser()];
    const attemptId = randomUUID();
    const { body } = await start(ada, hello, attemptId);
    const [exercise] = body.exercises;
    expect(await answer(eve, attemptId, exercise.id, { text: "x" })).toMatchObject({ status: 404 });
    expect(await complete(eve, attemptId)).toMatchObject({ status: 404, code: "not_found" });
    expect(await abandon(eve, attemptId)).toMatchObject({ status: 404, code: "not_found" });
    expect(await start(eve, hello, attemptId)).toMatchObject({ status: 201 });
  });

  it("returns 404 for an unknown lesson and for a path that is no ID", async () => {
    const ada = await aUser();
    expect(await start(ada, randomUUID())).toMatchObject({ status: 404, code: "not_found" });
    expect(await start(ada, "hello")).toMatchObject({ status: 404, code: "not_found" });
  });

  it("returns 403 lesson_locked until the lesson before it is completed", async () => {
    const ada = await aUser();
    const thanks = lessonId("thanks");
    expect(await start(ada, thanks)).toMatchObject({ status: 403, code: "lesson_locked" });
    await complete(ada, await solve(ada, hello));
    expect(await start(ada, thanks)).toMatchObject({ status: 201 });
  });

  it("unlocks the lessons after one that was tested out", async () => {
    const ada = await aUser();
    await stores.sql(
      "insert into lesson_progress values ($1, $2, $3, 'tested_out', 0, null, 1)",
      ada.user.id,
      hello,
      contentId("it-en"),
    );
    expect(await start(ada, lessonId("thanks"))).toMatchObject({ status: 201 });
  });

  it("returns 403 premium_required before lesson_locked, also to guests", async () => {
    const coffee = lessonId("coffee");
    const ada = await aUser();
    expect(await start(ada, coffee)).toMatchObject({ status: 403, code: "premium_required" });
    expect(await start(await aGuest(), coffee)).toMatchObject({ code: "premium_required" });
    await becomePremium(ada.user.id);
    expect(await start(ada, coffee)).toMatchObject({ status: 403, code: "lesson_locked" });
  });

  it("lets an open attempt finish when premium ends, and refuses the next", async () => {
    const ada = await aUser();
    await becomePremium(ada.user.id);
    await complete(ada, await solve(ada, hello));
    await complete(ada, await solve(ada, lessonId("thanks")));
    const coffee = lessonId("coffee");
    await start(ada, coffee);
    await stores.sql("update users set is_premium = false where id = $1", ada.user.id);
    const { status, body } = await start(ada, coffee);
    expect(status).toBe(200);
    const [exercise] = body.exercises;
    await answer(ada, body.attempt.id, exercise.id, rightAnswer(exercise));
    expect(await complete(ada, body.attempt.id)).toMatchObject({ status: 200 });
    expect(await start(ada, coffee)).toMatchObject({ status: 403, code: "premium_required" });
  });

  it("starts anew after 30 days, when the open attempt counts as abandoned", async () => {
    const ada = await aUser();
    const { body } = await start(ada, hello);
    const old = body.attempt.id;
    await stores.sql(
      "update attempts set started_at = now() - interval '30 days 1 minute' where id = $1",
      old,
    );
    const [exercise] = body.exercises;
    const late = await answer(ada, old, exercise.id, rightAnswer(exercise));
    expect(late).toMatchObject({ status: 409, code: "attempt_not_open" });
    expect(await complete(ada, old)).toMatchObject({ status: 409, code: "attempt_not_open" });
    expect(await start(ada, hello, old)).toMatchObject({
      status: 200,
      body: { attempt: { state: "abandoned" } },
    });
    expect(await start(ada, hello)).toMatchObject({ status: 201 });
    const rows = await stores.sql("select state from attempts where id = $1", old);
    expect(rows).toEqual([{ state: "abandoned" }]);
  });

  it("refuses a pack ID, which is for attempts without a network", async () => {
    const { accessToken: token } = await aUser();
    const url = `http://localhost:8080/api/lessons/${hello}/attempts`;
    const body = { attemptId: randomUUID(), packId: randomUUID() };
    expect(await call(startRoute, "POST", { token, url, body })).toMatchObject({
      status: 422,
      code: "validation_failed",
    });
  });

  it("keeps the version with which an attempt began, and locks nothing again with a new one", async () => {
    const ada = await aUser();
    await complete(ada, await solve(ada, hello));
    const thanks = lessonId("thanks");
    const { body } = await start(ada, thanks);
    // Version 2: the lesson `thanks` now also requires `coffee`.
    await stores.sql(
      `insert into course_versions select course_id, 2, target_language, native_language, '2', course, learn, now(), null
       from course_versions where course_id = $1`,
      contentId("it-en"),
    );
    await stores.sql(
      `insert into lessons select id, 2, course_id, position, unit,
         case when id = $2 then requires || $3::uuid else requires end, 40, perfect_bonus, lesson, exercises, keys, words
       from lessons where course_id = $1`,
      contentId("it-en"),
      thanks,
      lessonId("coffee"),
    );
    await stores.sql("update courses set version = 2 where id = $1", contentId("it-en"));
    for (const exercise of body.exercises) {
      await answer(ada, body.attempt.id, exercise.id, rightAnswer(exercise));
    }
    const done = await complete(ada, body.attempt.id);
    expect(done.body.xp[0]).toEqual({ kind: "lesson_first", xp: 20 });
    const grace = await aUser();
    await complete(grace, await solve(grace, hello));
    expect(await start(grace, thanks)).toMatchObject({
      status: 201,
      body: { attempt: { version: 2 } },
    });
    await stores.sql("update courses set version = 1 where id = $1", contentId("it-en"));
  });
});
