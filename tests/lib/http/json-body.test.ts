import { describe, expect, it } from "vitest";
import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { type CallOptions, call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";

useEnvironment();

const echoOf = (limit: { bodyBytesMax?: number } = {}) =>
  route("/api/echo", {
    POST: endpoint({
      summary: "The body that was read.",
      auth: "anonymous",
      limits: [],
      body: z.unknown(),
      ...limit,
      replies: { 200: z.unknown() },
      errors: [],
      handle: async ({ body }) => ({ body }),
    }),
  });
const echo = echoOf();

const send = (body: unknown, headers: Record<string, string> = {}) =>
  call(echo, "POST", { body, headers } as CallOptions);
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(typeof part === "string" ? part : [part])));
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const bytesMax = 64 * 1024;
const textOf = (length: number) => `"${"x".repeat(length - 2)}"`;

describe("the type of a body", () => {
  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/json; charset=utf-8; profile=x",
    "application/json; charset=utf8",
    "application/json; charset=UTF8",
    "application/json;charset=Utf-8",
    'application/json; charset="utf8"',
    'application/json; CHARSET="Utf-8"',
  ])("may be %s", async (type) => {
    expect((await send("{}", { "content-type": type })).status).toBe(200);
  });

  it.each([
    "",
    "text/plain",
    "text/plain; application/json",
    "application/json, text/plain",
    "application/jsonp",
    "application/problem+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
    "application/json; charset=",
    'application/json; charset="utf-8',
    "application/json; charset=utf-8x",
    "application/json; charset=utf-88",
    "application/json; charset='utf-8'",
    "application/json; charset=utf-16; charset=utf-8",
  ])("may not be %j", async (type) => {
    const answer = await send("{}", { "content-type": type });
    expect(answer).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  it("is required", async () => {
    const request = new Request("http://localhost/api/echo", {
      method: "POST",
      body: Buffer.from("{}"),
    });
    expect((await echo.fetch(request)).status).toBe(415);
  });

  it.each(["gzip", "br", "identity, gzip", "x"])("must not be encoded: %s", async (encoding) => {
    const answer = await send("{}", { "content-encoding": encoding });
    expect(answer).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  it("may be declared as identity encoding", async () => {
    expect((await send("{}", { "content-encoding": "Identity" })).status).toBe(200);
  });
});

describe("a request without a body", () => {
  const echoing = (body: z.ZodType) =>
    route("/api/echo", {
      POST: endpoint({
        summary: "The body that was read.",
        auth: "anonymous",
        limits: [],
        body,
        replies: { 200: z.unknown() },
        errors: [],
        handle: async ({ body }) => ({ body }),
      }),
    });
  const optional = echoing(
    z.strictObject({ name: z.string().optional(), count: z.int().default(1) }),
  );
  const withType = (type: string): RequestInit => ({ headers: { "content-type": type } });

  it.each<[string, RequestInit]>([
    ["without a type", {}],
    ["with a type", withType("application/json")],
    ["with another type", withType("text/plain;charset=UTF-8")],
    ["with a length of 0", { headers: { "content-length": "0" } }],
    ["of 0 bytes", { body: "" }],
    ["of 0 chunks", { body: new ReadableStream({ start: (to) => to.close() }), duplex: "half" }],
  ])("is read as {} where every field is optional: %s", async (_, init) => {
    const request = () =>
      new Request("http://localhost/api/echo", { method: "POST", ...init } as RequestInit);
    const answer = await optional.fetch(request());
    expect([answer.status, await answer.json()]).toEqual([200, { body: { count: 1 } }]);
  });

  it("is refused where a field is required", async () => {
    const required = echoing(z.strictObject({ name: z.string() }));
    const sent = (init: RequestInit) =>
      required.fetch(new Request("http://localhost/api/echo", { method: "POST", ...init }));
    expect((await sent({})).status).toBe(415);
    expect((await sent(withType("application/json"))).status).toBe(400);
  });

  it("is not the same as a body of another type, or of white space", async () => {
    const other = { body: "x", headers: { "content-type": "text/plain" } };
    expect((await call(optional, "POST", other)).code).toBe("unsupported_media_type");
    expect((await call(optional, "POST", { body: " " })).code).toBe("malformed_body");
    expect((await call(optional, "POST", { body: "null" })).code).toBe("validation_failed");
  });
});

describe("a field that is there twice", () => {
  it("has the last value", async () => {
    expect((await send('{"a":1,"b":{"c":1,"c":2},"a":2}')).body).toEqual({
      body: { a: 2, b: { c: 2 } },
    });
  });

  it("is still refused by its name", async () => {
    expect(await send('{"__proto__":1,"a":1,"__proto__":2}')).toMatchObject({ status: 400 });
  });
});

describe("the size of a body", () => {
  it("may be 64 KB", async () => {
    expect((await send(textOf(bytesMax))).status).toBe(200);
    const length = { "content-length": String(bytesMax) };
    expect((await send(textOf(bytesMax), length)).status).toBe(200);
  });

  it("may be up to the endpoint's limit", async () => {
    const larger = echoOf({ bodyBytesMax: bytesMax + 1 });
    const status = async (length: number) =>
      (await call(larger, "POST", { body: textOf(length) })).status;
    expect([await status(bytesMax + 1), await status(bytesMax + 2)]).toEqual([200, 413]);
  });

  it.each([
    ["declared", { "content-length": String(bytesMax + 1) }],
    ["declared too small", { "content-length": "10" }],
    ["declared with an invalid value", { "content-length": "1e1, many" }],
    ["not declared", {}],
  ])("returns 413 above the limit, whether the length is %s", async (_, headers) => {
    const answer = await send(textOf(bytesMax + 1), headers);
    expect(answer).toMatchObject({ status: 413, code: "payload_too_large" });
  });

  it("returns 413 for a declared length before reading anything", async () => {
    let pulls = 0;
    const body = new ReadableStream({ pull: () => void pulls++ }, { highWaterMark: 0 });
    const answer = await send(body, { "content-length": String(bytesMax + 1) });
    expect(answer.status).toBe(413);
    expect(pulls).toBe(0);
  });

  it("is measured while reading, and an endless body is cancelled", async () => {
    let sent = 0;
    let cancelled = false;
    const chunk = Buffer.alloc(4 * 1024, "x");
    const body = new ReadableStream({
      pull(controller) {
        sent += chunk.length;
        if (sent > 8 * bytesMax) throw new Error("read far beyond the limit");
        controller.enqueue(chunk);
      },
      cancel() {
        cancelled = true;
      },
    });
    const answer = await send(body);
    expect(answer).toMatchObject({ status: 413, code: "payload_too_large" });
    expect(cancelled).toBe(true);
    expect(sent).toBeLessThan(2 * bytesMax);
  });

  it.each([
    ["without a length", {}],
    ["with one", { "content-length": "100" }],
  ])("returns 400 for a body that was cut off, %s", async (_, headers) => {
    let pulls = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(Buffer.from('{"email":'));
        else controller.error(new Error("aborted"));
      },
    });
    const answer = await send(body, headers);
    expect(answer).toMatchObject({ status: 400, code: "malformed_body" });
  });
});

describe("the number of elements and fields", () => {
  const list = (length: number) => `{"a":[${Array(length).fill("[]").join()}]}`;
  const names = (length: number) =>
    `{"a":{${Array.from({ length }, (_, i) => `"${i}":1`).join()}}}`;

  it.each([
    ["elements", list],
    ["fields", names],
  ])("may be 1000 %s, and more return 422 with a pointer", async (_, bodyOf) => {
    expect((await send(bodyOf(1000))).status).toBe(200);
    const answer = await send(bodyOf(1001));
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toEqual([
      { pointer: "/a", code: "too_big", message: expect.any(String) },
    ]);
  });

  it("is checked before the elements, which are not reported", async () => {
    const answer = await send(`{"goals":[${Array(20_000).fill("[]").join()}],"b":"\\u0000"}`);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
      "/goals",
      "/b",
    ]);
  });
});

describe("the form of a body", () => {
  it.each([
    ["an empty body", ""],
    ["invalid JSON", "{email:1}"],
    ["truncated JSON", '{"a":'],
    ["two values", "{}{}"],
    ["NaN", '{"a":NaN}'],
    ["invalid UTF-8", bytes('"', 0xff, 0xfe, '"')],
    ["an overlong sequence", bytes('"', 0xc0, 0xaf, '"')],
    ["a surrogate in UTF-8", bytes('"', 0xed, 0xa0, 0x80, '"')],
    ["a truncated sequence", bytes('"', 0xf0, 0x9f)],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
    ["33 levels", nested(33)],
    ["30,000 levels", nested(30_000)],
    ["33 levels of objects", `${'{"a":'.repeat(33)}1${"}".repeat(33)}`],
    ["__proto__", '{"__proto__":{"role":"admin"}}'],
    ["__proto__ in escapes", '{"\\u005f_proto__":1}'],
    ["__proto__ further in", '{"a":[{"b":{"__proto__":null}}]}'],
    ["constructor", '{"constructor":{"prototype":{}}}'],
  ])("returns malformed_body for %s", async (_, body) => {
    expect(await send(body)).toMatchObject({ status: 400, code: "malformed_body" });
    expect({}).not.toHaveProperty("role");
  });

  it.each([
    ["32 levels", nested(32)],
    ["any value", "null"],
    ["emoji and accents", '"Ångström 🎓 \\ud83c\\udf93"'],
    ["text that only contains __proto__", '{"a":"__proto__"}'],
    ["a byte order mark", bytes(0xef, 0xbb, 0xbf, "{}")],
  ])("may contain %s", async (_, body) => {
    expect((await send(body)).status).toBe(200);
  });

  it.each([
    ["NUL", '{"a":"x\\u0000y"}', "/a"],
    ["half a surrogate pair", '{"a":"\\ud83c"}', "/a"],
    ["the other half of a surrogate pair", '{"a":["\\udf93"]}', "/a/0"],
    ["surrogates in the wrong order", '{"a/b":{"c~d":"\\udf93\\ud83c"}}', "/a~1b/c~0d"],
    ["NUL in a name", '{"a":{"x\\u0000":1}}', "/a"],
    ["NUL by itself", '"\\u0000"', ""],
  ])("returns validation_failed with a pointer for %s", async (_, body, pointer) => {
    const answer = await send(body);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toEqual([
      { pointer, code: "invalid_text", message: expect.any(String) },
    ]);
  });

  it("returns a short error, however many errors there are and however long the names are", async () => {
    const many = `[${Array(6).fill(`[${Array(1000).fill('"\\u0000"').join()}]`)}]`;
    const long = `{"${"n".repeat(60_000)}":"\\u0000"}`;
    for (const body of [many, long]) {
      const answer = await send(body);
      expect(answer.status).toBe(422);
      expect(answer.body.errors.length).toBeLessThanOrEqual(20);
      expect(JSON.stringify(answer.body).length).toBeLessThan(8192);
    }
  });
});
