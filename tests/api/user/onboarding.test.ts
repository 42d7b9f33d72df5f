import { describe, expect, it } from "vitest";
import user from "../../../api/user/index.js";
import onboarding from "../../../api/user/onboarding.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const answers = {
  nativeLanguage: "en",
  targetLanguage: "fr",
  level: "beginner",
  goals: ["travel"],
  interests: ["music", "cooking"],
  topics: ["food"],
  dailyGoalMinutes: 15,
  timeZone: "Europe/Paris",
};
const answer = ({ accessToken: token }: TokenPair, body: unknown, headers = {}) =>
  call(onboarding, "POST", { token, body, headers });

describe("POST /api/user/onboarding", () => {
  it("stores the answers and sets onboardingCompleted", async () => {
    const person = await aUser();
    expect(person.user.onboardingCompleted).toBe(false);
    const { status, body } = await answer(person, { ...answers, reminderTime: "19:00" });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...person.user,
      ...answers,
      level: "A1",
      reminderTime: "19:00",
      onboardingCompleted: true,
    });
    const { body: stored } = await call(user, "GET", { token: person.accessToken });
    expect(stored).toEqual(body);
    const audited = await stores.sql(
      "select action from audit_log where subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ action: "user.onboarded" }]);
  });

  it("can be repeated, and keeps a reminder that is not given", async () => {
    const person = await aUser();
    await answer(person, { ...answers, reminderTime: "19:00" });
    const again = await answer(person, { ...answers, targetLanguage: "de" });
    expect(again).toMatchObject({
      status: 200,
      body: { targetLanguage: "de", reminderTime: "19:00", onboardingCompleted: true },
    });
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await stores.resetCalls();
    await answer(person, answers);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("returns 409 for a time zone changed within 20 hours", async () => {
    const person = await aUser();
    await answer(person, answers);
    const refused = await answer(person, { ...answers, timeZone: "Asia/Tokyo" });
    expect(refused).toMatchObject({ status: 409, code: "time_zone_changed_recently" });
  });

  it("is done once per Idempotency-Key", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": "my-first-answers" };
    await answer(person, answers, headers);
    await answer(person, { ...answers, targetLanguage: "de" });
    const again = await answer(person, answers, headers);
    expect(again).toMatchObject({ status: 200, body: { targetLanguage: "de" } });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it.each(Object.keys(answers))("requires %s", async (field) => {
    const person = await aUser();
    const refused = await answer(person, { ...answers, [field]: undefined });
    expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
    expect(refused.body.errors).toMatchObject([{ pointer: `/${field}` }]);
  });

  it("returns 422 for isPremium", async () => {
    const refused = await answer(await aUser(), { ...answers, isPremium: true });
    expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    const refused = await call(onboarding, "POST", { body: answers });
    expect(refused).toMatchObject({ status: 401, code: "token_missing" });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await answer(person, answers)).status).toBe(503);
  });
});
