import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Method } from "../../lib/http/resource.js";
import type { Route } from "../../lib/http/route.js";
import { sourceFiles } from "../support/source-files.js";

/** Writes that need no Idempotency-Key, for sending them twice is as good as once. */
const repeatable: Record<string, string> = {
  "POST /api/auth/forgot-password":
    "a code that is fresh is mailed again, within the address's budget",
  "POST /api/auth/logout": "a session that has ended stays ended",
  "POST /api/auth/refresh": "the Rotation-Id tells a repetition, and gives the same successor",
  "POST /api/auth/verify-email": "an address that is confirmed stays so, and is answered alike",
  "POST /api/auth/verify-email/resend": "a code that is fresh is mailed again, within the budget",
  "POST /api/ops/sign-ins/confirmations": "nothing is written",
  "POST /api/ops/sign-ins/refreshes": "the Rotation-Id tells a repetition, as at /api/auth/refresh",
  "POST /api/ops/sign-outs": "a session that has ended stays ended",
  "POST /api/webhooks/mail": "each delivery's id is taken once",
  "POST /api/auth/reauthenticate": "nothing is written",
  "POST /api/stt/transcribe": "nothing is written",
  "DELETE /api/user/sessions/:sessionId": "a session that has ended stays ended",
};

const routes = await Promise.all(
  sourceFiles("api").map(
    async (file) => ((await import(resolve(file))) as { default: Route }).default,
  ),
);
/** Operators' are left out: they set a state, or add to a log that shows it twice to who repeats it. */
const writes = routes.flatMap(({ template, endpoints }) =>
  Object.entries(endpoints)
    .filter(([method, { auth }]) => (method as Method) !== "GET" && auth !== "operator")
    .map(([method, endpoint]) => ({ name: `${method} ${template}`, endpoint })),
);

describe("every write", () => {
  it("takes an Idempotency-Key, or is listed as harmless to repeat", () => {
    const careless = writes.filter(
      ({ name, endpoint }) => endpoint.replay === undefined && !(name in repeatable),
    );
    expect(careless.map(({ name }) => name)).toEqual([]);
  });

  it("is listed only where it exists and takes no key", () => {
    const withoutKey = writes.filter(({ endpoint }) => endpoint.replay === undefined);
    const names = withoutKey.map(({ name }) => name);
    expect(Object.keys(repeatable).filter((name) => !names.includes(name))).toEqual([]);
  });
});
