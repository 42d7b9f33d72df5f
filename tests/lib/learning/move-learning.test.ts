import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import type { ShownExercise } from "../../../lib/content/exercises.js";
import { answer, complete, progress, solve, start } from "../../support/attempts.js";
import { call } from "../../support/call.js";
import { lessonId, publishCourse, rightAnswer } from "../../support/course.js";
import { aGuest, anAddress, aUser, type Person, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
beforeAll(() => publishCourse());
beforeEach(() => stores.liftLimits());

const [hello, thanks] = [lessonId("hello"), lessonId("thanks")];

/** A sign-in with the guest's access token. */
async function merge(guest: TokenPair, { email, deviceId }: Person): Promise<Person> {
  const { status, body } = await call(login, "POST", {
    body: { email, password, device: { id: deviceId } },
    token: guest.accessToken,
    ip: anAddress(),
  });
  expect(status).toBe(200);
  return body;
}

const rowsOf = (table: string, { user }: TokenPair) =>
  stores.sql(`select * from ${table} where user_id = $1`, user.id);
const totals = async ({ user }: TokenPair) => {
  const [row] = await stores.sql(
    `select total_xp, (select sum(xp) from xp_entries where user_id = $1) as ledger
     from learners where user_id = $1`,
    user.id,
  );
  return { total: Number(row?.total_xp), ledger: Number(row?.ledger) };
};

describe("the merge of a guest", () => {
  it("moves attempts, answers, progress and points", async () => {
    const [ada, guest] = [await aUser(), await aGuest()];
    const attemptId = await solve(guest, hello);
    await complete(guest, attemptId);
    const open = await start(guest, thanks);
    const [first] = open.body.exercises as ShownExercise[];
    if (!first) throw new Error("The lesson has exercises.");
    await answer(guest, open.body.attempt.id, first.id, rightAnswer(first));
    const person = await merge(guest, ada);

    expect(await totals(person)).toEqual({ total: 70, ledger: 70 });
    const { body } = await progress(person);
    expect(body).toMatchObject({
      totalXp: 70,
      courses: [{ lessons: [{ completions: 1 }, {}, {}] }],
    });
    const again = await start(person, thanks);
    expect(again.body.attempt).toEqual(open.body.attempt);
    expect(again.body.answered).toMatchObject([{ exerciseId: first.id, verdict: "right" }]);
    const repeated = await complete(person, attemptId);
    expect(repeated).toMatchObject({ status: 200, body: { xpTotal: 70 } });
    for (const table of [
      "learners",
      "attempts",
      "attempt_answers",
      "lesson_progress",
      "xp_entries",
    ]) {
      expect(await rowsOf(table, guest), table).toEqual([]);
    }
  });

  it("pays a lesson that both have completed once, and keeps the account's row", async () => {
    const [ada, guest] = [await aUser(), await aGuest()];
    await complete(ada, await solve(ada, hello));
    const [own] = await stores.sql(
      "select earned_at from xp_entries where user_id = $1 and kind = 'lesson_first'",
      ada.user.id,
    );
    await complete(guest, await solve(guest, hello));
    const person = await merge(guest, ada);
    const ledger = await rowsOf("xp_entries", person);
    expect(ledger.map(({ kind }) => kind).sort()).toEqual([
      ...["answers", "answers", "lesson_first", "perfect"],
    ]);
    expect(ledger.find(({ kind }) => kind === "lesson_first")).toMatchObject(own ?? {});
    // 70 of the account, and 40 for the guest's answers.
    expect(await totals(person)).toEqual({ total: 110, ledger: 110 });
    const [lesson] = await rowsOf("lesson_progress", person);
    expect(lesson).toMatchObject({ completions: "2", state: "completed" });
  });

  it("keeps the account's open attempt of a lesson, and abandons the guest's", async () => {
    const [ada, guest] = [await aUser(), await aGuest()];
    const own = await start(ada, hello);
    const other = await start(guest, hello);
    const person = await merge(guest, ada);
    expect((await start(person, hello)).body.attempt).toEqual(own.body.attempt);
    const moved = await start(person, hello, other.body.attempt.id);
    expect(moved.body.attempt).toMatchObject({ state: "abandoned" });
  });

  it("raises the account's revision, so that a write that read before it reads again", async () => {
    const [ada, guest] = [await aUser(), await aGuest()];
    await complete(ada, await solve(ada, hello));
    const [before] = await rowsOf("learners", ada);
    await complete(guest, await solve(guest, hello));
    const person = await merge(guest, ada);
    const [after] = await rowsOf("learners", person);
    expect(Number(after?.revision)).toBe(Number(before?.revision) + 1);
    const revisions = await stores.sql(
      "select distinct revision from attempts where user_id = $1 order by 1",
      ada.user.id,
    );
    expect(revisions.map(({ revision }) => revision)).toContain(after?.revision);
  });
});
