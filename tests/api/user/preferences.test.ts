import { describe, expect, it } from "vitest";
import preferences from "../../../api/user/preferences.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useServedFunctions } from "../../support/served-functions.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const served = useServedFunctions();

const profile = {
  version: 1,
  personas: ["BUSY_MICROSESSIONS"],
  srs: { newPerDay: 10, reviewCap: 40, easeAdjPct: -5 },
  lessonPlan: {
    microLessonMins: 5,
    composition: {
      speaking: 35,
      listening: 20,
      reading: 15,
      writing: 15,
      grammar: 0,
      vocab: 25.5,
    },
  },
  speech: { ttsVoice: "en-GB-Wavenet-D", rate: 0.95, pitch: 1, asrStrictness: "lenient" },
  notifications: { enabled: false, hourLocal: 7 },
  accessibility: { theme: "dark", fontScale: 1.2, highContrast: true, reducedMotion: true },
  script: "latin",
  dialect: "english_uk",
};

const read = ({ accessToken: token }: TokenPair, headers = {}) =>
  call(preferences, "GET", { token, headers });
const replace = (
  { accessToken: token }: TokenPair,
  ifMatch: string | undefined,
  body: unknown = profile,
  headers = {},
) =>
  call(preferences, "PUT", {
    token,
    body,
    headers: { ...(ifMatch === undefined ? {} : { "if-match": ifMatch }), ...headers },
  });

/** The profile with another value at a path such as `srs.newPerDay`. */
function withValue(path: string, value: unknown) {
  const copy = structuredClone(profile) as Record<string, unknown>;
  const names = path.split(".");
  const last = names.pop() ?? "";
  const parent = names.reduce((part, name) => part[name] as typeof copy, copy);
  parent[last] = value;
  return copy;
}

describe("GET /api/user/preferences", () => {
  it("returns the defaults with an ETag until the user has chosen", async () => {
    const person = await aUser();
    const { status, body, headers } = await read(person);
    expect(status).toBe(200);
    expect(headers.get("etag")).toBe('"0"');
    expect(headers.get("cache-control")).toBe("no-store, no-transform");
    expect((await replace(person, '"0"', body)).status).toBe(200);
    expect((await read(person)).body).toEqual(body);
  });

  it("returns 304 for a matching If-None-Match and 200 for another version", async () => {
    const person = await aUser();
    for (const known of ['"0"', 'W/"0"', '"7", "0"', "*"]) {
      const answer = await read(person, { "if-none-match": known });
      expect(answer).toMatchObject({ status: 304, body: undefined });
      expect(answer.headers.get("etag")).toBe('"0"');
    }
    await replace(person, '"0"');
    expect((await read(person, { "if-none-match": '"0"' })).status).toBe(200);
    expect((await read(person, { "if-none-match": '"1"' })).status).toBe(304);
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await stores.resetCalls();
    await read(person);
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 8, postgresCalls: 1 });
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    expect(await call(preferences, "GET")).toMatchObject({ status: 401, code: "token_missing" });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await read(person)).status).toBe(503);
  });
});

describe("PUT /api/user/preferences", () => {
  it("replaces the caller's document and no other", async () => {
    const [person, other] = [await aUser(), await aUser()];
    const first = await replace(person, '"0"');
    expect(first).toMatchObject({ status: 200, body: profile });
    expect(first.headers.get("etag")).toBe('"1"');
    const { script: _, dialect: __, ...smaller } = profile;
    const second = await replace(person, '"1"', smaller);
    expect(second.headers.get("etag")).toBe('"2"');
    const stored = await read(person);
    expect(stored.body).toEqual(smaller);
    expect(stored.headers.get("etag")).toBe('"2"');
    expect((await read(other)).headers.get("etag")).toBe('"0"');
    const audited = await stores.sql(
      "select action from audit_log where subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ action: "preferences.updated" }, { action: "preferences.updated" }]);
  });

  it.each(['"0"', '"2"', 'W/"1"', '"abc"', "1", '"9999999999"'])(
    "returns 412 for If-Match %s when the version is 1, and changes nothing",
    async (ifMatch) => {
      const person = await aUser();
      const { body } = await replace(person, '"0"');
      const answer = await replace(person, ifMatch, withValue("srs.newPerDay", 50));
      expect(answer).toMatchObject({ status: 412, code: "precondition_failed" });
      const stored = await read(person);
      expect(stored.body).toEqual(body);
      expect(stored.headers.get("etag")).toBe('"1"');
      const audited = await stores.sql(
        "select action from audit_log where subject_id = $1",
        person.user.id,
      );
      expect(audited).toHaveLength(1);
    },
  );

  it("accepts the ETag of a long profile that was sent compressed", async () => {
    const person = await aUser();
    const third = 100 / 3;
    const shares = Object.fromEntries(Object.keys(zeros()).map((skill) => [skill, third]));
    const long = {
      ...withValue("lessonPlan.composition", shares),
      personas: Array.from({ length: 10 }, (_, at) => `${at}`.repeat(40)),
      script: "s".repeat(40),
      dialect: "d".repeat(40),
    };
    expect((await replace(person, "*", long)).status).toBe(200);
    const url = `${served.url}/api/user/preferences`;
    const authorization = `Bearer ${person.accessToken}`;
    const compressed = await fetch(url, { headers: { authorization, "accept-encoding": "gzip" } });
    expect(await compressed.json()).toEqual(long);
    const answer = await replace(person, compressed.headers.get("etag") ?? "", long);
    expect(answer.status).toBe(200);
  });

  it("returns 412 for an unknown version when nothing is stored", async () => {
    const answer = await replace(await aUser(), '"3"');
    expect(answer).toMatchObject({ status: 412, code: "precondition_failed" });
  });

  it("accepts any of several versions, and * for any", async () => {
    const person = await aUser();
    expect((await replace(person, "*")).headers.get("etag")).toBe('"1"');
    expect((await replace(person, '"0", "1"')).headers.get("etag")).toBe('"2"');
    expect((await replace(person, "*")).headers.get("etag")).toBe('"3"');
  });

  it("returns 428 without If-Match", async () => {
    const answer = await replace(await aUser(), undefined);
    expect(answer).toMatchObject({ status: 428, code: "precondition_required" });
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await stores.resetCalls();
    await replace(person, '"0"');
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("is done once per Idempotency-Key", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": "my-preferences" };
    await replace(person, '"0"', profile, headers);
    const again = await replace(person, '"0"', profile, headers);
    expect(again).toMatchObject({ status: 200, body: profile });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("etag")).toBe('"1"');
  });

  it("does not use up the Idempotency-Key when it is refused", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": "my-preferences" };
    expect((await replace(person, '"1"', profile, headers)).status).toBe(412);
    const taken = await replace(person, '"0"', profile, headers);
    expect(taken.status).toBe(200);
    expect(taken.headers.get("idempotent-replayed")).toBeNull();
  });

  it.each([
    ["version", 1, 1],
    ["srs.newPerDay", 5, 50],
    ["srs.reviewCap", 20, 300],
    ["srs.easeAdjPct", -20, 20],
    ["lessonPlan.microLessonMins", 3, 15],
    ["lessonPlan.composition.grammar", 0, 100],
    ["speech.rate", 0.7, 1.4],
    ["speech.pitch", 0.8, 1.2],
    ["notifications.hourLocal", 0, 23],
    ["accessibility.fontScale", 1, 1.6],
  ])("accepts %s from %s to %s only", async (path, least, most) => {
    const person = await aUser();
    for (const value of [least, most]) {
      expect((await replace(person, "*", withValue(path, value))).status).toBe(200);
    }
    const step = Number.isInteger(least) && Number.isInteger(most) ? 1 : 0.01;
    for (const value of [least - step, most + step, "1", null]) {
      const answer = await replace(person, "*", withValue(path, value));
      expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
      expect(answer.body.errors).toMatchObject([{ pointer: `/${path.replaceAll(".", "/")}` }]);
    }
  });

  it.each([
    ["an invalid persona", "personas", ["<script>"]],
    ["too many personas", "personas", Array(11).fill("BUSY")],
    ["a fraction of a word per day", "srs.newPerDay", 7.5],
    ["a seventh skill", "lessonPlan.composition.culture", 10],
    ["no skill at all", "lessonPlan.composition", zeros()],
    ["a missing skill", "lessonPlan.composition.vocab", undefined],
    ["a long voice", "speech.ttsVoice", "a".repeat(65)],
    ["an unknown strictness", "speech.asrStrictness", "cruel"],
    ["an unknown theme", "accessibility.theme", "sepia"],
    ["an unknown field", "sounds", true],
  ])("returns 422 for %s", async (_, path, value) => {
    const answer = await replace(await aUser(), "*", withValue(path, value));
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    const answer = await call(preferences, "PUT", { body: profile });
    expect(answer).toMatchObject({ status: 401, code: "token_missing" });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await replace(person, "*")).status).toBe(503);
  });
});

function zeros() {
  const skills = Object.keys(profile.lessonPlan.composition);
  return Object.fromEntries(skills.map((skill) => [skill, 0]));
}
