import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "info" });
const logs = useLogLines();

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const sent = (id: string) => ({ headers: { "x-correlation-id": id } });

describe("the correlation ID", () => {
  it.each(["550e8400-e29b-41d4-a716-446655440000", "a", "Az0._-", "x".repeat(64)])(
    "is taken from the request: %s",
    async (id) => {
      const { headers } = await call(index, "GET", sent(id));
      expect(headers.get("x-correlation-id")).toBe(id);
      expect(logs.read("http_request")).toMatchObject([{ corr: { correlationId: id } }]);
    },
  );

  it.each([
    ["too long", "x".repeat(65)],
    ["empty", ""],
    ["with a space", "a b"],
    ["with markup", "<script>"],
    ["with a quote", 'a"b'],
    ["not ASCII", "é"],
    ["a list", "a, b"],
  ])("is generated when the one in the request is %s", async (_, id) => {
    const { headers } = await call(index, "GET", sent(id));
    const made = headers.get("x-correlation-id");
    expect(made).toMatch(uuid);
    expect(logs.read("http_request")).toMatchObject([{ corr: { correlationId: made } }]);
  });

  it("is generated for each request without one", async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => (await call(index, "GET")).headers.get("x-correlation-id")),
    );
    expect(ids[0]).toMatch(uuid);
    expect(ids[1]).not.toBe(ids[0]);
  });

  it("is in the header, body and log line of an error", async () => {
    const { status, headers, body } = await call(index, "POST", sent("abc-1"));
    expect(status).toBe(405);
    expect(headers.get("x-correlation-id")).toBe("abc-1");
    expect(body.correlationId).toBe("abc-1");
    expect(logs.read("http_request")).toMatchObject([{ corr: { correlationId: "abc-1" } }]);
  });

  it("is in the response to a preflight", async () => {
    const { headers } = await call(index, "OPTIONS", sent("abc-1"));
    expect(headers.get("x-correlation-id")).toBe("abc-1");
  });
});
