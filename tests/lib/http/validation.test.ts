import { describe, expect, it } from "vitest";
import * as z from "zod";
import login from "../../../api/auth/login.js";
import register from "../../../api/auth/register.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();

const lessons = route("/api/lessons", {
  POST: endpoint({
    summary: "A body with every kind of part.",
    auth: "anonymous",
    limits: [],
    body: z.strictObject({
      title: z.string().max(10),
      "a/b~c": z.int().optional(),
      words: z.array(z.strictObject({ text: z.string() })).max(100),
    }),
    replies: { 200: z.unknown() },
    errors: [],
    handle: async ({ body }) => body,
  }),
});

const refused = async (body: unknown) => {
  const answer = await call(lessons, "POST", { body });
  expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
  return answer.body.errors as { pointer: string; code: string; message: string }[];
};

describe("an invalid body", () => {
  it("returns a JSON pointer (RFC 6901) for every invalid part", async () => {
    const errors = await refused({
      title: "much too long a title",
      "a/b~c": "1",
      words: [{ text: "uno" }, { text: 2 }],
    });
    expect(errors).toEqual([
      { pointer: "/title", code: "too_big", message: expect.any(String) },
      { pointer: "/a~1b~0c", code: "invalid_type", message: expect.any(String) },
      { pointer: "/words/1/text", code: "invalid_type", message: expect.any(String) },
    ]);
  });

  it("returns the missing fields", async () => {
    const pointers = (await refused({})).map(({ pointer }) => pointer);
    expect(pointers).toEqual(["/title", "/words"]);
  });

  it("returns each unknown key at every depth", async () => {
    const errors = await refused({
      title: "Hola",
      words: [{ text: "uno", "x/y": 1, z: 2 }],
      role: "admin",
    });
    expect(errors).toEqual(
      ["/words/0/x~1y", "/words/0/z", "/role"].map((pointer) => ({
        pointer,
        code: "unrecognized_keys",
        message: "Unknown field.",
      })),
    );
  });

  it.each([null, 1, "text", []])("is refused as %j when an object is required", async (body) => {
    const errors = await refused(JSON.stringify(body));
    expect(errors.map(({ pointer }) => pointer)).toEqual([""]);
  });

  it("is not echoed in the response", async () => {
    const answer = await call(lessons, "POST", {
      body: { title: ["hunter2"], words: "hunter2", more: "hunter2" },
    });
    expect(JSON.stringify(answer.body)).not.toContain("hunter2");
  });

  it("returns a short error, however many errors there are and however long the names are", async () => {
    const words = Array.from({ length: 1000 }, () => ({ text: 1 }));
    const keys = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`key${n}`, n]));
    const long = { ["n".repeat(60_000)]: 1 };
    for (const body of [{ title: "", words }, keys, long]) {
      const answer = await call(lessons, "POST", { body });
      expect(answer.status).toBe(422);
      expect(answer.body.errors.length).toBeLessThanOrEqual(20);
      expect(JSON.stringify(answer.body).length).toBeLessThan(8192);
    }
  });
});

describe("POST /api/auth/login and POST /api/auth/register", () => {
  it.each([
    ["login", login],
    ["register", register],
  ])("%s returns 422 for an unknown key without a Postgres call", async (_, route) => {
    await stores.resetCalls();
    const answer = await call(route, "POST", {
      body: { email: "ada@example.com", password: "correct horse", role: "admin" },
    });
    const { postgresCalls } = stores.calls();
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toContainEqual({
      pointer: "/role",
      code: "unrecognized_keys",
      message: "Unknown field.",
    });
    expect(postgresCalls).toBe(0);
  });
});
