import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import register from "../../../api/auth/register.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import { issueRefreshToken } from "../../../lib/auth/token/refresh-token.js";
import { env } from "../../../lib/env.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { errorFields, log } from "../../../lib/observability/logger.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "trace" });
const logs = useLogLines();
const about = { evt: "e", cat: "c" };

let secrets: Record<string, string>;
beforeAll(async () => {
  const session = {
    userId: "u",
    sessionId: "s",
    authenticatedAt: new Date(),
    authMethods: ["pwd"],
  };
  secrets = {
    "an access token": await issueAccessToken(env(), session, new Date()),
    "a refresh token": issueRefreshToken(env(), {
      sessionId: "AAAAAAAAAAAAAAAAAAAAAA",
      counter: 3,
    }),
    "an operators' token": `ops_0123456789abcdef_${"S".repeat(43)}`,
    "a bearer token": "Bearer abcdef.123456",
    "basic credentials": "Basic YWRhOmh1bnRlcjI=",
    "an e-mail": "ada.lovelace+tag@mail.example.com",
    "an encoded e-mail": "ada%40example.com",
    "a twice encoded e-mail": "ada%2540example.com",
    "an e-mail beyond ASCII": "jürgen@bücher.example",
    "a database URL": "postgresql://ada:hunter2@db.example:5432/app",
    "a database URL with special characters in the password":
      "postgres://ada:hun@ter/2@db.example/app",
    "a cache URL": "rediss://:hunter2@cache.example:6379/0",
    "a cache URL with a token": "redis://hunter2@cache.example",
    "a password hash": "$argon2id$v=19$m=19456,t=2,p=1$8MDdU02GQTOxbnalEQ6MMQ$Qd/S3Ml+5zyN",
    "a password in an environment variable": "PGPASSWORD=hunter2",
    "a password in JSON": '{"password":"hunter2"}',
    "a password in a query": "newPassword=hunter2&x=1",
    "a key": "TOOLKIT_API_KEY: sk-hunter2",
  };
});

const names = [
  ["an access token", /eyJ/],
  ["a refresh token", /rt1|AAAAAAAA/],
  ["a bearer token", /abcdef/],
  ["basic credentials", /YWRh/],
  ["an e-mail", /ada|lovelace/],
  ["an encoded e-mail", /ada/],
  ["a twice encoded e-mail", /ada/],
  ["an e-mail beyond ASCII", /rgen|cher/],
  ["a database URL", /hunter2|ada/],
  ["a database URL with special characters in the password", /hun@|ter\/2|ada:/],
  ["a cache URL", /hunter2/],
  ["a cache URL with a token", /hunter2/],
  ["a password hash", /8MDdU|Qd\/S3/],
  ["a password in an environment variable", /hunter2/],
  ["a password in JSON", /hunter2/],
  ["a password in a query", /hunter2/],
  ["a key", /hunter2/],
] as const;

describe.each(names)("%s is never written to a log line", (name, trace) => {
  const written = () => logs.written().join("").replaceAll('\\"', '"').replaceAll("x ", "");

  it("in a message", () => {
    log("INFO", about, `Before ${secrets[name]} after`);
    expect(written()).toContain("Before ");
    expect(written()).not.toMatch(trace);
  });

  it("in an error's message, stack and causes", () => {
    const cause = new Error(`cause ${secrets[name]}`);
    const error = new Error(`outer ${secrets[name]}`, { cause: new Error("middle", { cause }) });
    log("ERROR", { ...about, data: errorFields(error) }, "Failed");
    expect(written()).toContain("middle");
    expect(written()).not.toMatch(trace);
  });

  it("in a path", () => {
    const path = `/api/x/${secrets[name]}`;
    log("INFO", { ...about, req: { method: "GET", path, ip: undefined } }, "Done");
    expect(written()).toContain("/api/");
    expect(written()).not.toMatch(trace);
  });

  it("when it is where a text is truncated", () => {
    for (let before = 4096; before > 4096 - 80; before -= 7) {
      log("INFO", about, `${"x ".repeat(before / 2)}${secrets[name]}`);
    }
    expect(written()).not.toMatch(trace);
  });
});

describe("the fields of a line", () => {
  it("are an allowlist; other fields are dropped", () => {
    log(
      "INFO",
      { ...about, data: { status: 200, password: "x", body: {}, email: "a", user: 1 } },
      "",
    );
    expect(logs.read()[0].data).toEqual({ status: 200 });
  });

  it("are written for any type", () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    log("INFO", { ...about, data: { count: 5n, reason: loop, error: ["a", { b: 1 }] } }, "");
    expect(logs.read()[0].data).toMatchObject({ count: "5", error: '["a",{"b":1}]' });
  });

  it("are unchanged without a secret", () => {
    const plain = "JWT_SECRET is an example; see https://example.com/docs for 12:30 @noon";
    log("INFO", about, plain);
    expect(logs.read()[0].msg).toBe(plain);
  });
});

describe("a failed query", () => {
  const statement = 'insert into "users" ("name", "email") values ($1, $2)';
  const refusal = Object.assign(new NeonDbError('invalid input syntax for type uuid: "Ada L."'), {
    code: "22P02",
    detail: "Key (name)=(Ada L.) is wrong",
  });
  const failed = new DrizzleQueryError(statement, ["Ada L.", "hunter2"], refusal);

  it.each([
    ["by itself", failed],
    ["as a cause", new Error("outer", { cause: failed })],
    ["as a cause's cause", new Error("outer", { cause: new Error("inner", { cause: failed }) })],
    ["without drizzle", refusal],
    [
      "of a socket",
      Object.assign(new Error(refusal.message), { ...refusal, name: "error", severity: "ERROR" }),
    ],
  ])("is logged without its statement, parameters and values: %s", async (_, thrown) => {
    const failing = route("/api/failing", {
      GET: endpoint({
        summary: "Fails.",
        auth: "anonymous",
        limits: [],
        replies: { 200: z.unknown() },
        errors: [],
        handle: () => Promise.reject(thrown),
      }),
    });
    expect((await call(failing, "GET")).status).toBe(500);
    const written = logs.written().join("");
    expect(written).toContain("PostgresError: invalid input syntax for type uuid (SQLSTATE 22P02)");
    expect(written).not.toContain("NeonDbError");
    expect(written).not.toMatch(/insert into|values|Ada L\.|hunter2|params/);
    expect(logs.read("request_failed")[0].data.stack).toContain("redaction.test.ts");
  });
});

describe("user input", () => {
  it("is never written to a log line", async () => {
    await call(register, "POST", {
      body: { email: "ada@example.com", password: "hunter22", name: "Ada", role: "admin" },
      headers: { authorization: "Bearer abc.def.ghi", cookie: "session=hunter2" },
    });
    expect(logs.written()).not.toEqual([]);
    expect(logs.written().join("")).not.toMatch(/hunter2|ada@|Ada|admin|abc\.def/);
  });
});
