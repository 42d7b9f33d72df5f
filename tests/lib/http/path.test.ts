import { describe, expect, it } from "vitest";
import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";

useEnvironment();

const sessions = route("/api/people/:userId/sessions/:sessionId", {
  GET: endpoint({
    summary: "The parameters that were read.",
    auth: "anonymous",
    limits: [],
    replies: { 200: z.record(z.string(), z.string()) },
    errors: [],
    handle: async ({ params }) => params,
  }),
});

const read = (pathAndQuery: string) =>
  call(sessions, "GET", { url: `http://localhost${pathAndQuery}` });

describe("path parameters", () => {
  it("are the segments named in the template", async () => {
    const { body } = await read("/api/people/ada/sessions/s-1");
    expect(body).toEqual({ userId: "ada", sessionId: "s-1" });
  });

  it("never come from the query", async () => {
    const { body } = await read(
      "/api/people/ada/sessions/mine?sessionId=theirs&sessionId=other&userId=eve&more=1",
    );
    expect(body).toEqual({ userId: "ada", sessionId: "mine" });
  });

  it.each([
    ["%41da", "Ada"],
    ["a%2Fb", "a/b"],
    ["%F0%9F%8E%93", "🎓"],
    ["a+b", "a+b"],
    ["a%252Fb", "a%2Fb"],
    ["%3Fq=1", "?q=1"],
  ])("are decoded once: %s", async (segment, value) => {
    const { body } = await read(`/api/people/${segment}/sessions/s`);
    expect(body.userId).toBe(value);
  });

  it.each([
    ["a bare percent sign", "100%"],
    ["a truncated sequence", "%E0%A4%A"],
    ["invalid hexadecimal", "%zz"],
    ["bytes that are not UTF-8", "%FF%FE"],
    ["an encoded surrogate", "%ED%A0%80"],
    ["NUL", "a%00b"],
  ])("return 400 for %s: %s", async (_, segment) => {
    const answer = await read(`/api/people/ada/sessions/${segment}`);
    expect(answer).toMatchObject({ status: 400, code: "malformed_url" });
  });
});
