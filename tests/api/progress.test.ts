import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { contentId } from "../../dev/content/ids.js";
import { abandon, complete, progress, solve, start } from "../support/attempts.js";
import { lessonId, publishCourse } from "../support/course.js";
import { aUser } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

const courseId = contentId("it-en");
const states = (body: { courses: { lessons: { state: string }[] }[] }) =>
  body.courses.map(({ lessons }) => lessons.map(({ state }) => state));

describe("GET /api/progress", () => {
  it("is empty for a learner who has not begun", async () => {
    const { status, body } = await progress(await aUser());
    expect(status).toBe(200);
    expect(body).toEqual({ totalXp: 0, level: 1, league: "bronze", courses: [] });
  });

  it("shows a course that was not begun when it is asked for", async () => {
    const { body } = await progress(await aUser(), courseId);
    expect(body.courses).toEqual([
      {
        courseId,
        version: 1,
        lessons: [
          { lessonId: lessonId("hello"), state: "unlocked", completions: 0 },
          { lessonId: lessonId("thanks"), state: "locked", completions: 0 },
          { lessonId: lessonId("coffee"), state: "locked", completions: 0 },
        ],
      },
    ]);
  });

  it("shows the state of each lesson while a course is played", async () => {
    const ada = await aUser();
    const { body } = await start(ada, lessonId("hello"));
    expect(states((await progress(ada)).body)).toEqual([["in_progress", "locked", "locked"]]);
    await abandon(ada, body.attempt.id);
    expect(states((await progress(ada)).body)).toEqual([["unlocked", "locked", "locked"]]);
    await complete(ada, await solve(ada, lessonId("hello")));
    const completed = (await progress(ada)).body;
    expect(states(completed)).toEqual([["completed", "unlocked", "locked"]]);
    expect(completed).toMatchObject({ totalXp: 70, level: 1, league: "bronze" });
    // A repetition does not hide that the lesson is completed.
    await start(ada, lessonId("hello"));
    await start(ada, lessonId("thanks"));
    expect(states((await progress(ada)).body)).toEqual([["completed", "in_progress", "locked"]]);
  });

  it("shows lessons that were tested out", async () => {
    const ada = await aUser();
    await stores.sql(
      "insert into lesson_progress values ($1, $2, $3, 'tested_out', 0, null, 1)",
      ada.user.id,
      lessonId("hello"),
      courseId,
    );
    expect(states((await progress(ada)).body)).toEqual([["tested_out", "unlocked", "locked"]]);
  });

  it("costs 1 Redis round trip and 1 Postgres call", async () => {
    const ada = await aUser();
    await stores.resetCalls();
    await progress(ada, courseId);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("returns 404 for an unknown course", async () => {
    const ada = await aUser();
    expect(await progress(ada, randomUUID())).toMatchObject({ status: 404, code: "not_found" });
  });
});
