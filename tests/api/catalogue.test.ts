import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import course from "../../api/courses/[courseId].js";
import courses from "../../api/courses/index.js";
import languages from "../../api/languages.js";
import learn from "../../api/learn/[targetLanguage].js";
import lesson from "../../api/lessons/[lessonId]/index.js";
import publication from "../../api/ops/courses/[courseId].js";
import versions from "../../api/ops/courses/index.js";
import { contentId } from "../../dev/content/ids.js";
import { courseFolders, readCourse } from "../../dev/content/read-course.js";
import { seedCourse } from "../../dev/content/seed.js";
import type { CourseSource } from "../../dev/content/source.js";
import type { Route } from "../../lib/http/route.js";
import { call } from "../support/call.js";
import { aContext } from "../support/context.js";
import { drained } from "../support/drained.js";
import { useEnvironment } from "../support/environment.js";
import { anOperator, type OperatorPerson } from "../support/operators.js";
import { useStores } from "../support/stores.js";

useEnvironment({});
const stores = useStores();

const spanishId = contentId("es-en");
const lessonId = contentId("es-en", "lesson", "hello-and-goodbye");
let source: CourseSource;
let operator: OperatorPerson;

const seed = (changed: Partial<CourseSource> = {}) =>
  seedCourse(aContext().db.$client, { ...source, ...changed });
const withVersion = (version: number, title: string): Partial<CourseSource> => ({
  info: { ...source.info, version, title },
  digest: `version-${version}`,
});

beforeAll(async () => {
  const folder = courseFolders().find((path) => path.endsWith("/es-en")) ?? "";
  source = readCourse(folder);
  expect(await seed()).toBe("published");
  operator = await anOperator(stores);
});

const read = (route: Route, path: string, headers: Record<string, string> = {}) =>
  call(route, "GET", { url: `http://localhost:8080/api/${path}`, headers });
const reads: [what: string, route: Route, path: string][] = [
  ["the courses", courses, "courses"],
  ["a course", course, `courses/${spanishId}`],
  ["a lesson", lesson, `lessons/${lessonId}`],
  ["the reference pages", learn, "learn/es?native=en"],
];

describe("the catalogue", () => {
  it("lists the courses, and reads one with its units and lessons", async () => {
    const list = await read(courses, "courses");
    expect(list.body).toEqual({
      items: [
        {
          id: spanishId,
          targetLanguage: "es",
          nativeLanguage: "en",
          title: "Spanish",
          description: source.info.description,
          version: 1,
          lessons: 24,
          words: 190,
        },
      ],
    });
    const { body } = await read(course, `courses/${spanishId}`);
    expect(body.units).toHaveLength(4);
    expect(body.units[0].lessons[0]).toMatchObject({
      id: lessonId,
      title: "Hello and goodbye",
      requires: [],
    });
    expect(body.units[0].lessons[1].requires).toEqual([lessonId]);
  });

  it("reads a lesson with its words, and without its exercises", async () => {
    const { body } = await read(lesson, `lessons/${lessonId}`);
    expect(body).toMatchObject({ courseId: spanishId, version: 1, unit: 1, exercises: 13 });
    expect(body.words[0]).toMatchObject({ target: "hola", native: "hello", theme: "greetings" });
  });

  it("reads the reference pages under any notation of the tags", async () => {
    const { body } = await read(learn, "learn/ES?native=EN");
    expect(body.alphabet.length).toBeGreaterThanOrEqual(27);
    expect(body.commonWords).toHaveLength(190);
    expect(body.dialogues[0].turns[0]).toHaveProperty("speaker");
    expect(Object.values(body).every(Array.isArray)).toBe(true);
  });

  it.each([
    ["an unknown course", course, `courses/${randomUUID()}`],
    ["a course without an ID", course, "courses/es-en"],
    ["an unknown lesson", lesson, `lessons/${randomUUID()}`],
    ["a pair of languages without a course", learn, "learn/en?native=es"],
    ["what is no language", learn, "learn/klingon-tongue?native=en"],
  ])("answers 404 for %s, which no cache keeps", async (_what, route, path) => {
    const { code, headers } = await read(route, path);
    expect(code).toBe("not_found");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("refuses a query without the native language", async () => {
    expect((await read(learn, "learn/es")).code).toBe("validation_failed");
    expect((await read(learn, "learn/es?native=en&x=1")).code).toBe("validation_failed");
  });
});

describe("a reply of the catalogue", () => {
  it.each(reads)("can be kept by a cache for all callers: %s", async (_what, route, path) => {
    const { status, headers } = await read(route, path, { origin: "https://elsewhere.example" });
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe(
      "public, max-age=60, s-maxage=300, stale-while-revalidate=86400",
    );
    expect(headers.get("access-control-allow-origin")).toBe("*");
    for (const name of ["x-correlation-id", "vary", "x-ratelimit-limit", "ratelimit"]) {
      expect(headers.get(name), name).toBeNull();
    }
    const etag = headers.get("etag") ?? "";
    const again = await read(route, path, { "if-none-match": etag });
    expect(again.status).toBe(304);
    expect(again.headers.get("etag")).toBe(etag);
  });

  it.each(reads)(
    "costs one Redis round trip and no call of Postgres when hot: %s",
    async (...args) => {
      const [, route, path] = args;
      await read(route, path);
      await stores.resetCalls();
      expect((await read(route, path)).status).toBe(200);
      expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 0 });
    },
  );

  it("is kept once for all notations of an ID or a tag", async () => {
    await stores.redis("DEL", "content");
    for (const path of [`courses/${spanishId}`, `courses/${spanishId.toUpperCase()}`]) {
      expect((await read(course, path)).status).toBe(200);
    }
    for (const path of [`lessons/${lessonId}`, `lessons/${lessonId.toUpperCase()}`]) {
      expect((await read(lesson, path)).status).toBe(200);
    }
    for (const path of ["learn/es?native=en", "learn/ES?native=EN"]) {
      expect((await read(learn, path)).status).toBe(200);
    }
    await stores.settled();
    expect(await stores.redis("HLEN", "content")).toBe(4);
  });

  it("is served from Redis without Postgres, and from Postgres without Redis", async () => {
    await read(course, `courses/${spanishId}`);
    await stores.settled();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await read(course, `courses/${spanishId}`)).status).toBe(200);
    await stores.faults.postgres.set(null);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await read(course, `courses/${spanishId}`)).status).toBe(200);
  });

  it("counts hits and misses", async () => {
    await stores.redis("DEL", "content");
    await drained(stores);
    await stores.sql("delete from telemetry_totals");
    await read(courses, "courses");
    await stores.settled();
    await read(courses, "courses");
    await drained(stores);
    const rows = await stores.sql(
      "select series, value from telemetry_totals where series like 'content_cache_reads_total%' order by 1",
    );
    expect(rows).toEqual([
      { series: 'content_cache_reads_total{result="hit"}', value: "1" },
      { series: 'content_cache_reads_total{result="miss"}', value: "1" },
    ]);
  });
});

describe("a version of a course", () => {
  const publish = (version: number, body: object = {}, courseId = spanishId) =>
    call(publication, "PUT", {
      token: operator.token,
      url: `http://localhost:8080/api/ops/courses/${courseId}`,
      body: { reason: "a test", version, ...body },
    });
  const titleNow = async () => (await read(course, `courses/${spanishId}`)).body.title;

  it("never changes once it is published; another one waits as a draft", async () => {
    expect(await seed()).toBe("unchanged");
    await expect(seed(withVersion(1, "Changed"))).rejects.toThrow("Raise `version` in course.yaml");
    expect(await seed(withVersion(2, "Spanish, second"))).toBe("added as a draft");
    expect(await seed({ ...withVersion(2, "Spanish, again"), digest: "other" })).toBe(
      "added as a draft",
    );
    expect(await titleNow()).toBe("Spanish");
  });

  it("is published and replaced again by an operator, with an audit row and an undo", async () => {
    expect((await publish(2, { dryRun: true })).body).toMatchObject({
      done: "Would publish version 2 of Spanish, again in place of version 1.",
    });
    expect(await titleNow()).toBe("Spanish");
    const { body } = await publish(2);
    expect(body).toMatchObject({
      done: "Published version 2 of Spanish, again in place of version 1.",
      undo: 'npm run ops -- content publish es-en 1 --reason "undo"',
    });
    expect(await titleNow()).toBe("Spanish, again");
    expect((await read(learn, "learn/es?native=en")).status).toBe(200);
    const list = await call(versions, "GET", { token: operator.token });
    expect(list.body.items).toMatchObject([
      { version: 2, state: "published", replacedAt: null },
      { version: 1, state: "replaced", replacedAt: expect.any(String) },
    ]);
    expect((await publish(2)).body.done).toContain("already");
    await publish(1);
    expect(await titleNow()).toBe("Spanish");
    const audited = await stores.sql(
      "select subject_id from audit_log where action = 'content.published' order by id",
    );
    expect(audited).toEqual([
      { subject_id: `${spanishId}:1:2` },
      { subject_id: `${spanishId}:2:1` },
    ]);
  });

  it("is published once by two operators at the same time", async () => {
    const both = await Promise.all([publish(2), publish(2)]);
    expect(both.map(({ status, code }) => code ?? status).sort()).toContain(200);
    expect(await titleNow()).toBe("Spanish, again");
    await publish(1);
  });

  it("is refused when it is unknown", async () => {
    expect((await publish(9)).body.errors).toMatchObject([
      { pointer: "/version", code: "unknown_version" },
    ]);
    const unknown = await publish(1, {}, randomUUID());
    expect(unknown.code).toBe("not_found");
  });

  it("is shown at once, even to a reader who was reading the one before", async () => {
    await stores.redis("DEL", "content");
    const [{ revision = "" } = {}] = await stores.sql(
      "select floor(extract(epoch from max(published_at)) * 1000) as revision from courses",
    );
    await publish(2);
    const { keepCached } = await import("../../lib/content/cache.js");
    await keepCached(aContext(), Number(revision), `course:${spanishId}`, '{"title":"old"}');
    expect(await titleNow()).toBe("Spanish, again");
  });
});

describe("GET /api/languages", () => {
  const found = async (query: string) =>
    (await read(languages, `languages?${query}`)).body.items.map(({ tag }: { tag: string }) => tag);

  it("finds the exact tag, then names that begin with it, then names that contain it", async () => {
    expect((await found("search=es"))[0]).toBe("es");
    expect((await found("search=en"))[0]).toBe("en");
    expect((await found("search=span"))[0]).toBe("es");
    expect(await found("search=gali")).toContain("gl");
    expect(await found("search=%20")).toHaveLength(50);
    expect(await found("search=klingon")).toEqual([]);
  });

  it("ignores case and accents", async () => {
    expect((await found("search=ESPANOL"))[0]).toBe("es");
    expect((await found("search=fran%C3%A7ais"))[0]).toBe("fr");
  });

  it("pages through all of them", async () => {
    const tags: string[] = [];
    let cursor: string | null = "";
    do {
      const { body } = await read(languages, `languages?limit=30${cursor && `&cursor=${cursor}`}`);
      tags.push(...body.items.map(({ tag }: { tag: string }) => tag));
      cursor = body.nextCursor;
    } while (cursor);
    expect(new Set(tags).size).toBe(tags.length);
    expect(tags.length).toBeGreaterThan(80);
  });

  it("calls no store but to count the request", async () => {
    await stores.resetCalls();
    const { headers } = await read(languages, "languages?search=es");
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 0 });
    expect(headers.get("cache-control")).toContain("public");
  });
});
