import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Method } from "../../lib/http/resource.js";
import type { Route } from "../../lib/http/route.js";
import { sourceFiles } from "../support/source-files.js";

/** Writes that need no Idempotency-Key, with the reason why a repeated request is harmless. */
const repeatable: Record<string, string> = {
  "POST /api/attempts/:attemptId/abandon": "an abandoned attempt stays abandoned",
  "POST /api/attempts/:attemptId/answers": "the answer ID identifies a repeated request",
  "POST /api/attempts/:attemptId/complete": "a completed attempt returns its first result",
  "POST /api/lessons/:lessonId/attempts":
    "the attempt ID identifies a repeated request, and a lesson has one open attempt",
  "POST /api/auth/forgot-password":
    "sends the same valid code again, within the mail limit of the address",
  "POST /api/auth/logout": "a revoked session stays revoked",
  "POST /api/auth/refresh":
    "the Rotation-Id identifies a repeated request, which gets the same token pair",
  "POST /api/auth/verify-email": "a verified address stays verified, with the same reply",
  "POST /api/auth/verify-email/resend": "sends the same valid code again, within the mail limit",
  "POST /api/ops/sign-ins/confirmations": "nothing is written",
  "POST /api/ops/sign-ins/refreshes":
    "the Rotation-Id identifies a repeated request, as in /api/auth/refresh",
  "POST /api/ops/sign-outs": "a revoked session stays revoked",
  "POST /api/webhooks/mail": "each delivery ID is processed once",
  "POST /api/webhooks/vercel": "each delivery ID is processed once",
  "POST /api/auth/reauthenticate": "nothing is written",
  "POST /api/stt/transcribe": "nothing is written",
  "DELETE /api/user":
    "the first request schedules the deletion; parallel and later ones get the same date and token",
  "DELETE /api/user/sessions/:sessionId": "a revoked session stays revoked",
};

const routes = await Promise.all(
  sourceFiles("api").map(
    async (file) => ((await import(resolve(file))) as { default: Route }).default,
  ),
);
/** Without the operator routes: they set a state, or append to a log where a repetition is visible. */
const writes = routes.flatMap(({ template, endpoints }) =>
  Object.entries(endpoints)
    .filter(([method, { auth }]) => (method as Method) !== "GET" && auth !== "operator")
    .map(([method, endpoint]) => ({ name: `${method} ${template}`, endpoint })),
);

describe("every write", () => {
  it("accepts an Idempotency-Key, or is listed as harmless to repeat", () => {
    const unlisted = writes.filter(
      ({ name, endpoint }) => endpoint.replay === undefined && !(name in repeatable),
    );
    expect(unlisted.map(({ name }) => name)).toEqual([]);
  });

  it("is listed only if it exists and accepts no key", () => {
    const withoutKey = writes.filter(({ endpoint }) => endpoint.replay === undefined);
    const names = withoutKey.map(({ name }) => name);
    expect(Object.keys(repeatable).filter((name) => !names.includes(name))).toEqual([]);
  });
});
