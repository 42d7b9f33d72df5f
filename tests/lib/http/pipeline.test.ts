import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { stepErrors } from "../../../lib/http/step-errors.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { useEnvironment } from "../../support/environment.js";
import { anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const clock = useStillClock();
useEnvironment({ ALLOWED_HOSTS: "linguamate.com", MIN_APP_VERSION: "2.0" });

const note = route("/api/user/notes", {
  POST: endpoint({
    summary: "A change that requires a recent credential.",
    auth: "user",
    stepUp: true,
    limits: ["default"],
    body: z.strictObject({ text: z.string() }),
    replies: { 204: null },
    errors: [],
    handle: async () => undefined,
  }),
});

describe("the request pipeline", () => {
  it("refuses a request by the first step that does not accept it", async () => {
    const { accessToken: token, sessionId, user } = await aUser();
    const ip = anAddress();
    const here = { url: "http://linguamate.com/api/user/notes", ip };
    const headers = { "x-app-version": "2.0" };
    const code = async (
      ...args: Parameters<typeof call> extends [unknown, ...infer R] ? R : never
    ) => (await call(note, ...args)).code;

    clock.advance(11 * 60);
    const counters = async () =>
      (await stores.redis("KEYS", `rate:default:session:${sessionId}:*`)) as string[];
    await code("POST", { ...here, headers, token, body: {} });
    // The flags are mirrored after the first reply.
    await stores.settled();
    const [counter = ""] = await counters();
    await stores.redis("SET", counter, "1000000", "KEEPTTL");
    await stores.redis("DEL", `session:${sessionId}`);
    const gate = { version: 1, off: ["user"], features: {} };
    await stores.redis("HSET", "gate", "flags", JSON.stringify(gate));
    await stores.redis("SADD", "blocks", "mirror", `user:${user.id}`);

    expect(await code("PATCH", { ip, url: "http://evil.example/api/user/notes" })).toBe(
      "host_not_allowed",
    );
    expect(await code("PATCH", here)).toBe("method_not_allowed");
    expect(await code("POST", { ...here, headers: { "x-app-version": "1.9" } })).toBe(
      "upgrade_required",
    );
    expect(await code("POST", { ...here, headers })).toBe("token_missing");
    const wrong = { ...here, headers, token, body: { text: 1 } };
    expect(await code("POST", wrong)).toBe("account_blocked");
    await stores.redis("SREM", "blocks", `user:${user.id}`);
    expect(await code("POST", wrong)).toBe("feature_disabled");
    await stores.redis("HSET", "gate", "flags", JSON.stringify({ ...gate, off: [] }));
    expect(await code("POST", wrong)).toBe("rate_limited");
    await stores.redis("DEL", counter);
    expect(await code("POST", wrong)).toBe("session_revoked");
    const { accessToken: other } = await aUser();
    clock.advance(11 * 60);
    expect(await code("POST", { ...wrong, token: other })).toBe("reauth_required");
    const { accessToken: fresh } = await aUser();
    expect(await code("POST", { ...wrong, token: fresh })).toBe("validation_failed");
    expect(await code("POST", { ...wrong, token: fresh, body: { text: "" } })).toBeUndefined();
  });

  it("calls the steps in the order in which their error codes are listed", () => {
    const source = readFileSync("lib/http/pipeline.ts", "utf8");
    const body = source.slice(source.indexOf("export async function runPipeline"));
    const positions = stepErrors.map(([step]) => body.indexOf(`${step}(`));
    expect(positions).not.toContain(-1);
    expect(positions).toEqual([...positions].sort((one, other) => one - other));
  });
});
