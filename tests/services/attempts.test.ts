import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import type { ShownExercise } from "../../lib/content/exercises.js";
import { abandon, answer, complete, solve, start } from "../support/attempts.js";
import { type Answer, call } from "../support/call.js";
import { lessonId, publishCourse, wrongAnswer } from "../support/course.js";
import { useEnvironment } from "../support/environment.js";
import { aBoundUser, aGuest, anAddress, aUser, type Person, password } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
// The rate limits of one account would stop most of the parallel requests.
useEnvironment({ RATE_LIMIT_TRUSTED_IPS: "0.0.0.0/0" });
beforeAll(() => publishCourse());

const [hello, thanks] = [lessonId("hello"), lessonId("thanks")];
const times = <T>(count: number, each: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => each(index)));
const merge = (guest: TokenPair, { email, deviceId }: Person) =>
  call(login, "POST", {
    body: { email, password, device: { id: deviceId } },
    token: guest.accessToken,
    ip: anAddress(),
  });
const totalsOf = async (userId: string) => {
  const [row] = await stores.sql(
    `select coalesce(max(total_xp), 0) as total,
       (select coalesce(sum(xp), 0) from xp_entries where user_id = $1) as ledger
     from learners where user_id = $1`,
    userId,
  );
  return { total: Number(row?.total), ledger: Number(row?.ledger) };
};
const succeeded = (answers: Answer[]) => answers.filter(({ status }) => status < 300);

describe("parallel requests of a learner", () => {
  it("complete an attempt once", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const results = await times(20, () => complete(ada, attemptId));
    for (const { status, body } of results) {
      expect([status, body]).toEqual([200, results[0]?.body]);
    }
    expect(await totalsOf(ada.user.id)).toEqual({ total: 70, ledger: 70 });
  });

  it("start a lesson once", async () => {
    const ada = await aUser();
    const starts = await times(20, () => start(ada, hello));
    expect(starts.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(starts.map(({ body }) => body.attempt.id)).size).toBe(1);
  });

  it("give each answer its own try number", async () => {
    const ada = await aUser();
    const { attempt, exercises } = (await start(ada, hello)).body;
    const [exercise] = exercises as ShownExercise[];
    if (!exercise) throw new Error("The lesson has exercises.");
    const answers = await times(8, () =>
      answer(ada, attempt.id, exercise.id, wrongAnswer(exercise)),
    );
    const tries = answers.map(({ body }) => body.tryNumber).sort();
    expect(tries).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("write one answer for one answer ID", async () => {
    const ada = await aUser();
    const { attempt, exercises } = (await start(ada, hello)).body;
    const [exercise] = exercises as ShownExercise[];
    if (!exercise) throw new Error("The lesson has exercises.");
    const answerId = randomUUID();
    const answers = await times(12, () =>
      answer(ada, attempt.id, exercise.id, wrongAnswer(exercise), { answerId }),
    );
    for (const { status, body } of answers) {
      expect([status, body]).toEqual([200, answers[0]?.body]);
    }
  });

  it("refuse answers as soon as the attempt has ended", async () => {
    const ada = await aUser();
    const attemptId = await solve(ada, hello);
    const { exercises } = (await start(ada, hello, attemptId)).body;
    const [exercise] = exercises as ShownExercise[];
    if (!exercise) throw new Error("The lesson has exercises.");
    const [ended, ...answers] = await Promise.all([
      abandon(ada, attemptId),
      ...Array.from({ length: 6 }, () =>
        answer(ada, attemptId, exercise.id, wrongAnswer(exercise)),
      ),
    ]);
    expect(ended.status).toBe(200);
    for (const { status, code } of answers) {
      if (status !== 200) expect([status, code]).toEqual([409, "attempt_not_open"]);
    }
    const rows = await stores.sql(
      "select from attempt_answers where attempt_id = $1 and try_number > 1",
      attemptId,
    );
    expect(rows).toHaveLength(succeeded(answers).length);
  });

  it("lose and double no points when a guest is merged while it completes a lesson", async () => {
    for (let round = 0; round < 6; round += 1) {
      const [person, guest] = [await aBoundUser(stores), await aGuest()];
      const [own, others] = [await solve(person, hello), await solve(guest, hello)];
      const [merged, ...completed] = await Promise.all([
        merge(guest, person),
        ...Array.from({ length: 3 }, () => complete(guest, others)),
        ...Array.from({ length: 3 }, () => complete(person, own)),
      ]);
      expect(merged.status).toBe(200);
      for (const { status, code } of completed) {
        if (status >= 500) expect([status, code]).toEqual([503, "service_unavailable"]);
      }
      // The completions that lost the race are sent again, now by the account.
      for (const id of [own, others]) {
        expect(await complete(merged.body, id)).toMatchObject({ status: 200 });
      }
      // The lesson is paid once; the other completion pays its answers, or a fifth.
      const { total, ledger } = await totalsOf(person.user.id);
      expect(total).toBe(ledger);
      expect([70 + 40, 70 + 14]).toContain(total);
      expect(await totalsOf(guest.user.id)).toEqual({ total: 0, ledger: 0 });
    }
  });

  it("are refused with 503 at most when many write at once, and count each write that succeeded", async () => {
    const ada = await aUser();
    await complete(ada, await solve(ada, hello));
    const starts = await times(12, (index) => start(ada, index % 2 === 0 ? hello : thanks));
    for (const { status } of starts) expect([200, 201, 503]).toContain(status);
    const open = await stores.sql(
      "select lesson_id from attempts where user_id = $1 and state = 'started'",
      ada.user.id,
    );
    expect(open).toHaveLength(2);
  });
});
