import { beforeAll, describe, expect, it } from "vitest";
import { contentId } from "../../../dev/content/ids.js";
import { courseFolders, readCourse } from "../../../dev/content/read-course.js";
import type { CourseSource } from "../../../dev/content/source.js";
import type { ShownExercise } from "../../../lib/content/exercises.js";
import { answer, complete, progress, start } from "../../support/attempts.js";
import { publishCourse, rightAnswer, wrongAnswer } from "../../support/course.js";
import { facts, lesson } from "../../support/learning-rules/build.js";
import { ledgerOf, standingOf } from "../../support/learning-rules/xp.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let spanish: CourseSource;

beforeAll(async () => {
  const folder = courseFolders().find((path) => path.endsWith("/es-en")) ?? "";
  spanish = readCourse(folder);
  await publishCourse(spanish);
});

/** Each third exercise of each second lesson is answered wrong at first. */
const failsAt = (lessonAt: number, exerciseAt: number) =>
  lessonAt % 2 === 1 && exerciseAt % 3 === 0;

describe("the whole Spanish course", () => {
  it("can be played with the answers of its files, and pays what the rules say", async () => {
    const ada = await aUser();
    await stores.sql("update users set is_premium = true where id = $1", ada.user.id);
    const lessons = spanish.units.flatMap((unit) => unit.lessons);
    const completions = [];
    const refused: string[] = [];
    let total = 0;
    for (const [lessonAt, source] of lessons.entries()) {
      await stores.liftLimits();
      const lessonId = contentId("es-en", "lesson", source.id);
      const { status, body } = await start(ada, lessonId);
      expect(status, source.id).toBe(201);
      let [firstTryRights, isPerfect] = [0, true];
      for (const [exerciseAt, exercise] of (body.exercises as ShownExercise[]).entries()) {
        const canFail = exercise.type !== "speaking" && failsAt(lessonAt, exerciseAt);
        if (canFail) {
          const failed = await answer(
            ada,
            body.attempt.id,
            exercise.id,
            wrongAnswer(exercise, spanish),
          );
          expect(failed.body.verdict).toBe("wrong");
          isPerfect = false;
        }
        const right = await answer(
          ada,
          body.attempt.id,
          exercise.id,
          rightAnswer(exercise, spanish),
        );
        const { verdict } = right.body;
        if (verdict !== (exercise.type === "speaking" ? "skipped" : "right")) {
          refused.push(
            `${source.id} ${exerciseAt + 1} ${exercise.type}: ${JSON.stringify(right.body)}`,
          );
        }
        if (verdict === "right" && !canFail) firstTryRights += 1;
      }
      const completed = await complete(ada, body.attempt.id);
      expect(completed.status, source.id).toBe(200);
      const next = lessons[lessonAt + 1];
      expect(completed.body.unlocked).toEqual(next ? [contentId("es-en", "lesson", next.id)] : []);
      const { xpReward, perfectBonus } = source;
      completions.push(
        lesson("2026-05-04", lessonAt, {
          ...{
            attemptId: body.attempt.id,
            lessonId,
            firstTryRights,
            isPerfect,
            xpReward,
            perfectBonus,
          },
        }),
      );
      total += completed.body.xpTotal;
    }
    expect(refused).toEqual([]);

    const kinds = ["lesson_first", "perfect", "answers", "lesson_repeat"];
    const expected = ledgerOf(facts({ completions })).filter(({ kind }) => kinds.includes(kind));
    const ledger = await stores.sql(
      "select kind, fact, xp from xp_entries where user_id = $1",
      ada.user.id,
    );
    const lines = (rows: { kind?: unknown; fact?: unknown; xp?: unknown }[]) =>
      rows.map(({ kind, fact, xp }) => `${kind} ${fact} ${xp}`).sort();
    expect(lines(ledger)).toEqual(lines(expected));
    const { body } = await progress(ada);
    const { courses, ...standing } = body;
    expect(standing).toEqual(standingOf(expected));
    expect(standing.totalXp).toBe(total);
    const states = courses[0].lessons.map(({ state }: { state: string }) => state);
    expect(states).toEqual(lessons.map(() => "completed"));
  }, 240_000);
});
