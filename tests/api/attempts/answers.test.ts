import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ShownExercise } from "../../../lib/content/exercises.js";
import { abandon, answer, complete, solve, start } from "../../support/attempts.js";
import { lessonId, publishCourse, rightAnswer, wrongAnswer } from "../../support/course.js";
import { aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

interface Begun {
  ada: Person;
  attemptId: string;
  exercises: ShownExercise[];
  of(type: ShownExercise["type"]): ShownExercise;
}

async function begin(): Promise<Begun> {
  const ada = await aUser();
  const { body } = await start(ada, lessonId("hello"));
  const exercises = body.exercises as ShownExercise[];
  return {
    ada,
    attemptId: body.attempt.id,
    exercises,
    of(type) {
      const found = exercises.find((exercise) => exercise.type === type);
      if (!found) throw new Error(`No exercise ${type}.`);
      return found;
    },
  };
}

const rowsOf = (attemptId: string) =>
  stores.sql(
    "select * from attempt_answers where attempt_id = $1 order by exercise_id, try_number",
    attemptId,
  );

describe("POST /api/attempts/:attemptId/answers", () => {
  it("grades each type of exercise, and counts what remains", async () => {
    const { ada, attemptId, exercises } = await begin();
    const left = exercises.map(({ id }) => id);
    for (const exercise of exercises) {
      const { status, body } = await answer(ada, attemptId, exercise.id, rightAnswer(exercise));
      left.shift();
      expect(status).toBe(200);
      expect(body).toMatchObject({
        exerciseId: exercise.id,
        tryNumber: 1,
        verdict: exercise.type === "speaking" ? "skipped" : "right",
        remaining: left,
      });
      expect(body.solution).not.toBe("");
    }
  });

  it("shows the solution only after an answer", async () => {
    const { ada, attemptId, exercises } = await begin();
    const solutions: Record<string, string> = {};
    for (const exercise of exercises) {
      if (exercise.type === "speaking") continue;
      const { body } = await answer(ada, attemptId, exercise.id, wrongAnswer(exercise));
      expect(body).toMatchObject({ verdict: "wrong", tryNumber: 1 });
      expect(body.remaining).toHaveLength(exercises.length);
      solutions[exercise.type] = body.solution;
    }
    expect(solutions).toEqual({
      translate: "The coffee is very good.",
      typing: "la città",
      fill_blank: "caffè",
      select_missing: "sera",
      multiple_choice: "hello",
      match_pairs: "ciao – hello; grazie – thanks; sera – evening; caffè – coffee",
      listening: "Buona sera, Anna.",
      word_order: "Buona sera, Anna.",
    });
  });

  it("shows the nearest of several right answers", async () => {
    const { ada, attemptId, of } = await begin();
    const { id } = of("translate");
    const first = await answer(ada, attemptId, id, { text: "The tea is very good" });
    expect(first.body).toMatchObject({ verdict: "wrong", solution: "The coffee is very good." });
    const second = await answer(ada, attemptId, id, { text: "Tea is really nice" });
    expect(second.body).toMatchObject({ verdict: "wrong", solution: "Coffee is really nice." });
  });

  it("shows the first right answer for a text without a right word", async () => {
    const { ada, attemptId, of } = await begin();
    for (const text of ["", "xyzzy"]) {
      const { body } = await answer(ada, attemptId, of("translate").id, { text });
      expect(body).toMatchObject({ verdict: "wrong", solution: "The coffee is very good." });
    }
  });

  it("refuses a choice that the exercise does not show, which is no try", async () => {
    const { ada, attemptId, of } = await begin();
    const tiles = rightAnswer(of("word_order")) as { tileIds: string[] };
    const impossible = [
      [of("multiple_choice"), { optionId: "zz" }],
      [of("select_missing"), { optionId: "t1" }],
      [of("match_pairs"), { pairs: [["q", "q"]] }],
      [of("word_order"), { tileIds: ["t99"] }],
      [of("word_order"), { tileIds: [...tiles.tileIds, tiles.tileIds[0]] }],
    ] as const;
    for (const [exercise, given] of impossible) {
      const { code, body } = await answer(ada, attemptId, exercise.id, given);
      expect(code).toBe("validation_failed");
      expect(body.errors).toMatchObject([{ pointer: "/answer", code: "unknown_choice" }]);
    }
    expect(await rowsOf(attemptId)).toEqual([]);
  });

  it("forgives an accent and a typo, and says so", async () => {
    const { ada, attemptId, of } = await begin();
    const accent = await answer(ada, attemptId, of("typing").id, { text: "la citta" });
    expect(accent.body).toMatchObject({ verdict: "accent", rules: ["accent"] });
    expect(accent.body.note).toContain("città");
    const typo = await answer(ada, attemptId, of("translate").id, {
      text: "The cofee is very good",
    });
    expect(typo.body).toMatchObject({ verdict: "typo" });
    expect(typo.body.diff).toContainEqual({ op: "changed", expected: "coffee", given: "cofee" });
  });

  it("costs 1 Redis round trip and 2 Postgres calls, a repetition 1", async () => {
    const { ada, attemptId, of } = await begin();
    const answerId = randomUUID();
    await stores.resetCalls();
    await answer(ada, attemptId, of("typing").id, { text: "la città" }, { answerId });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
    await stores.resetCalls();
    await answer(ada, attemptId, of("typing").id, { text: "la città" }, { answerId });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("returns the first result for the same answer ID, also after the attempt has ended", async () => {
    const { ada, attemptId, exercises, of } = await begin();
    const sent = { answerId: randomUUID(), durationMs: 900 };
    const first = await answer(ada, attemptId, of("typing").id, { text: "la citta" }, sent);
    for (const exercise of exercises) {
      await answer(ada, attemptId, exercise.id, rightAnswer(exercise));
    }
    await complete(ada, attemptId);
    const again = await answer(ada, attemptId, of("typing").id, { text: "la citta" }, sent);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(await rowsOf(attemptId)).toHaveLength(exercises.length + 1);
  });

  it("returns 422 idempotency_mismatch for the same answer ID with another body", async () => {
    const { ada, attemptId, of } = await begin();
    const sent = { answerId: randomUUID(), durationMs: 900 };
    const { id } = of("typing");
    await answer(ada, attemptId, id, { text: "la citta" }, sent);
    const others = [
      () => answer(ada, attemptId, id, { text: "la città" }, sent),
      () => answer(ada, attemptId, id, { text: "la citta" }, { ...sent, durationMs: 901 }),
      () => answer(ada, attemptId, of("translate").id, { text: "la citta" }, sent),
      () => answer(ada, attemptId, randomUUID(), { text: "la citta" }, sent),
    ];
    for (const send of others) {
      expect(await send()).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    }
    expect(await rowsOf(attemptId)).toHaveLength(1);
  });

  it("stores answers to a solved exercise without an effect", async () => {
    const { ada, attemptId, exercises, of } = await begin();
    for (const exercise of exercises) {
      await answer(ada, attemptId, exercise.id, rightAnswer(exercise));
    }
    const late = await answer(ada, attemptId, of("typing").id, { text: "xyzzy" });
    expect(late.body).toMatchObject({ verdict: "wrong", tryNumber: 2, remaining: [] });
    const { body } = await complete(ada, attemptId);
    expect(body).toMatchObject({ isPerfect: true, xpTotal: 20 + 5 * 8 + 10 });
  });

  it("gives parallel answers to one exercise different try numbers", async () => {
    const { ada, attemptId, of } = await begin();
    const texts = ["uno", "due", "tre", "quattro"];
    const answers = await Promise.all(
      texts.map((text) => answer(ada, attemptId, of("typing").id, { text })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.map(({ body }) => body.tryNumber).sort()).toEqual([1, 2, 3, 4]);
  });

  it("writes one row for parallel calls with one answer ID", async () => {
    const { ada, attemptId, of } = await begin();
    const answerId = randomUUID();
    const send = () => answer(ada, attemptId, of("typing").id, { text: "uno" }, { answerId });
    const [first, ...others] = await Promise.all([send(), send(), send(), send()]);
    for (const other of others) expect(other.body).toEqual(first?.body);
    expect(await rowsOf(attemptId)).toHaveLength(1);
  });

  it("returns 422 for an exercise of another lesson and for an answer of another form", async () => {
    const { ada, attemptId, of } = await begin();
    const refused = async (exerciseId: string, given: object) => {
      const { status, body } = await answer(ada, attemptId, exerciseId, given);
      expect(status).toBe(422);
      return body.errors.map((error: { pointer: string; code: string }) => [
        error.pointer,
        error.code,
      ]);
    };
    expect(await refused(randomUUID(), { text: "x" })).toEqual([
      ["/exerciseId", "unknown_exercise"],
    ]);
    const wrongForm = [["/answer", "wrong_form"]];
    expect(await refused(of("typing").id, { optionId: "o1" })).toEqual(wrongForm);
    expect(await refused(of("typing").id, { skipped: true })).toEqual(wrongForm);
    expect(await refused(of("match_pairs").id, { text: "ciao" })).toEqual(wrongForm);
    // Until the server makes transcripts, speaking can only be skipped.
    expect(await refused(of("speaking").id, { text: "Grazie, Anna." })).toEqual(wrongForm);
    expect(await rowsOf(attemptId)).toEqual([]);
  });

  it("accepts a skipped listening exercise", async () => {
    const { ada, attemptId, of } = await begin();
    const { body } = await answer(ada, attemptId, of("listening").id, { skipped: true });
    expect(body).toMatchObject({ verdict: "skipped", rules: [], note: null, diff: [] });
    expect(body.solution).toBe("Buona sera, Anna.");
  });

  it("returns 409 attempt_not_open when the attempt was completed or abandoned", async () => {
    const { ada, attemptId, of } = await begin();
    await abandon(ada, attemptId);
    const refusal = { status: 409, code: "attempt_not_open" };
    const { id } = of("typing");
    expect(await answer(ada, attemptId, id, { text: "la città" })).toMatchObject(refusal);
    const completed = await solve(ada, lessonId("hello"));
    await complete(ada, completed);
    expect(await answer(ada, completed, id, { text: "la città" })).toMatchObject(refusal);
  });

  it("returns 404 for an unknown attempt", async () => {
    const { ada, of } = await begin();
    const unknown = await answer(ada, randomUUID(), of("typing").id, { text: "x" });
    expect(unknown).toMatchObject({ status: 404, code: "not_found" });
  });
});
