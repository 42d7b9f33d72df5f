import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ShownExercise } from "../../../lib/content/exercises.js";
import { abandon, answer, complete, solve, start } from "../../support/attempts.js";
import { lessonId, publishCourse, rightAnswer, wrongAnswer } from "../../support/course.js";
import { drained } from "../../support/drained.js";
import { aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

const hello = lessonId("hello");
const ledgerOf = ({ user }: Person) =>
  stores.sql(
    "select kind, fact, xp from xp_entries where user_id = $1 order by earned_at, kind",
    user.id,
  );
const learnerOf = async ({ user }: Person) => {
  const [row] = await stores.sql("select * from learners where user_id = $1", user.id);
  return row;
};

/** Answers each exercise; those of the types in `first` are answered so at first. */
async function play(
  ada: Person,
  first: Partial<Record<ShownExercise["type"], (exercise: ShownExercise) => object>>,
) {
  const { body } = await start(ada, hello);
  for (const exercise of body.exercises as ShownExercise[]) {
    const given = first[exercise.type]?.(exercise);
    if (given) await answer(ada, body.attempt.id, exercise.id, given);
    await answer(ada, body.attempt.id, exercise.id, rightAnswer(exercise));
  }
  return complete(ada, body.attempt.id);
}

describe("POST /api/attempts/:attemptId/complete", () => {
  it("pays the reward, the right first tries and the perfect bonus", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const { status, body } = await complete(ada, attemptId);
    expect(status).toBe(200);
    const { version, courseId, startedAt } = body.attempt;
    expect(body).toEqual({
      attempt: { id: attemptId, lessonId: hello, courseId, version, state: "completed", startedAt },
      // Eight right answers; speaking was skipped.
      xp: [
        { kind: "lesson_first", xp: 20 },
        { kind: "answers", xp: 40 },
        { kind: "perfect", xp: 10 },
      ],
      xpTotal: 70,
      totalXp: 70,
      level: 1,
      league: "bronze",
      isPerfect: true,
      progress: {
        lessonId: hello,
        state: "completed",
        completions: 1,
        firstCompletedAt: expect.any(String),
      },
      unlocked: [lessonId("thanks")],
    });
    expect(await ledgerOf(ada)).toEqual([
      { kind: "answers", fact: attemptId, xp: "40" },
      { kind: "lesson_first", fact: hello, xp: "20" },
      { kind: "perfect", fact: hello, xp: "10" },
    ]);
    expect(await learnerOf(ada)).toMatchObject({ total_xp: "70", revision: "2" });
  });

  it("pays 5 less for each wrong first try, and no bonus", async () => {
    const ada = await aUser();
    const { body } = await play(ada, { typing: wrongAnswer, translate: wrongAnswer });
    expect(body).toMatchObject({ xpTotal: 20 + 5 * 6, isPerfect: false });
    expect(body.xp.map(({ kind }: { kind: string }) => kind)).toEqual(["lesson_first", "answers"]);
  });

  it("counts an accent as right, but not as perfect", async () => {
    const ada = await aUser();
    const { body } = await play(ada, { typing: () => ({ text: "la citta" }) });
    expect(body).toMatchObject({ xpTotal: 20 + 5 * 8, isPerfect: false });
  });

  it("pays nothing for a skipped exercise, which can still be perfect", async () => {
    const ada = await aUser();
    const { body } = await play(ada, { listening: () => ({ skipped: true }) });
    expect(body).toMatchObject({ xpTotal: 20 + 5 * 7 + 10, isPerfect: true });
  });

  it("pays a fifth for a repetition, with the bonus in it", async () => {
    const ada = await aUser();
    await play(ada, { typing: wrongAnswer });
    const perfect = await play(ada, {});
    // ⌊(40 + 20 + 10) / 5⌋
    expect(perfect.body).toMatchObject({
      xp: [{ kind: "lesson_repeat", xp: 14 }],
      totalXp: 20 + 35 + 14,
      isPerfect: true,
      progress: { completions: 2 },
      unlocked: [],
    });
    const other = await play(ada, { typing: wrongAnswer, translate: wrongAnswer });
    // ⌊(30 + 20) / 5⌋
    expect(other.body.xp).toEqual([{ kind: "lesson_repeat", xp: 10 }]);
  });

  it("costs 1 Redis round trip and 2 Postgres calls, a repetition 1", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    await stores.resetCalls();
    await complete(ada, attemptId);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
    await stores.resetCalls();
    await complete(ada, attemptId);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("returns the first result again, whatever came later", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const first = await complete(ada, attemptId);
    await play(ada, {});
    expect(await complete(ada, attemptId)).toMatchObject({ status: 200, body: first.body });
  });

  it("pays once for 20 parallel completions", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const results = await Promise.all(Array.from({ length: 20 }, () => complete(ada, attemptId)));
    const [first] = results;
    for (const { status, body } of results) {
      expect(status).toBe(200);
      expect(body).toEqual(first?.body);
    }
    expect(await learnerOf(ada)).toMatchObject({ total_xp: "70", revision: "2" });
    expect(await ledgerOf(ada)).toHaveLength(3);
  });

  it("returns 409 attempt_incomplete with the exercises that are missing", async () => {
    const ada = await aUser();
    const { body } = await start(ada, hello);
    const [first, second, ...others] = body.exercises as ShownExercise[];
    if (!first || !second) throw new Error("The lesson has two exercises.");
    await answer(ada, body.attempt.id, first.id, wrongAnswer(first));
    await answer(ada, body.attempt.id, second.id, rightAnswer(second));
    const refused = await complete(ada, body.attempt.id);
    expect(refused).toMatchObject({ status: 409, code: "attempt_incomplete" });
    expect(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      [first, ...others].map(({ id }) => `/exercises/${id}`),
    );
    expect(await learnerOf(ada)).toMatchObject({ total_xp: "0" });
  });

  it("returns 409 attempt_not_open for an abandoned attempt, and 404 for an unknown one", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    await abandon(ada, attemptId);
    const refused = await complete(ada, attemptId);
    expect(refused).toMatchObject({ status: 409, code: "attempt_not_open" });
    expect(await complete(ada, randomUUID())).toMatchObject({ status: 404, code: "not_found" });
    expect(await complete(ada, "x")).toMatchObject({ status: 404, code: "not_found" });
  });

  it("books the points on the learner's own day, before a new zone is in force", async () => {
    const ada = await aUser();
    // UTC+14 until tomorrow, then UTC−11: the two never have the same date.
    await stores.sql(
      `update users set time_zone = 'Pacific/Pago_Pago', previous_time_zone = 'Pacific/Kiritimati',
        time_zone_from = now() + interval '1 day' where id = $1`,
      ada.user.id,
    );
    const attemptId = await solve(ada, hello);
    await complete(ada, attemptId);
    const [row] = await stores.sql(
      `select zone, a.local_date = (completed_at at time zone 'Pacific/Kiritimati')::date as is_own,
        (select count(*) from xp_entries x where x.user_id = a.user_id and x.local_date = a.local_date) as paid
       from attempts a where id = $1`,
      attemptId,
    );
    expect(row).toEqual({ zone: "Pacific/Kiritimati", is_own: "t", paid: "3" });
  });

  it("rises the level and the league with the points", async () => {
    const ada = await aUser();
    await stores.sql("insert into learners values ($1, 7, 2990)", ada.user.id);
    const { body } = await complete(ada, await solve(ada, hello));
    expect(body).toMatchObject({ totalXp: 3060, level: 4, league: "platinum" });
  });

  it("is counted with its answers by type and verdict", async () => {
    const ada = await aUser();
    await drained(stores);
    await stores.sql("delete from telemetry_totals");
    await play(ada, { typing: wrongAnswer });
    await drained(stores);
    const rows = await stores.sql(
      `select series, value from telemetry_totals
       where series like 'attempts_total%' or series like 'answers_total{type="typing"%' order by 1`,
    );
    expect(rows).toEqual([
      { series: 'answers_total{type="typing",verdict="right"}', value: "1" },
      { series: 'answers_total{type="typing",verdict="wrong"}', value: "1" },
      { series: 'attempts_total{change="completed"}', value: "1" },
      { series: 'attempts_total{change="started"}', value: "1" },
    ]);
  });
});
