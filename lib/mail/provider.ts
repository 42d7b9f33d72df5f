import * as z from "zod";
import type { Env } from "../env.js";
import { correlationHeader } from "../observability/external-call.js";
import { post } from "../platform/keep-alive-http.js";
import type { Message } from "./mail.js";

/** The result of sending. `reason` is one word, such as the name of the provider's error, never its message. */
export type ProviderOutcome =
  | { kind: "accepted" }
  | { kind: "retryable"; reason: string; retryAfterSeconds?: number }
  | { kind: "final"; reason: string; retryAfterSeconds?: undefined };

const deadlineMs = 10_000;

/** Send a mail with Resend (`POST /emails`). Never rejects. Within a day a retry with the same `key` does not send it again. */
export async function handToProvider(
  { apiUrl, apiKey, from }: Env["mail"],
  {
    key,
    to,
    message,
    correlationId,
  }: { key: string; to: string; message: Message; correlationId: string },
): Promise<ProviderOutcome> {
  try {
    const reply = await post(new URL(`${apiUrl.replace(/\/+$/, "")}/emails`), {
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "application/json",
        "idempotency-key": key,
        ...correlationHeader(correlationId),
      },
      body: JSON.stringify({ from, to: [to], ...message }),
      timeoutMs: deadlineMs,
    });
    return outcomeOf(
      reply.status,
      errorName(reply.status, reply.body),
      reply.headers["retry-after"],
    );
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { kind: "retryable", reason: isLate ? "timeout" : "network" };
  }
}

/** Source: resend.com/docs/api-reference/errors. */
function outcomeOf(status: number, name: string, retryAfter: string | undefined): ProviderOutcome {
  if (status >= 200 && status < 300) return { kind: "accepted" };
  // A mail with this key was accepted before, with the text of another release.
  if (name === "invalid_idempotent_request") return { kind: "accepted" };
  const isPassing = status === 429 || status >= 500 || name === "concurrent_idempotent_requests";
  if (!isPassing) return { kind: "final", reason: name };
  const seconds = Number(retryAfter);
  return seconds > 0
    ? { kind: "retryable", reason: name, retryAfterSeconds: seconds }
    : { kind: "retryable", reason: name };
}

const ErrorBody = z.object({ name: z.string().regex(/^[a-z_]{1,40}$/i) });

/** The error's name, or else its status: the message may repeat an address. */
function errorName(status: number, body: string): string {
  try {
    const { name } = ErrorBody.parse(JSON.parse(body));
    // Resend uses this name for an invalid mail (422) and for an unverified sender (403).
    return status === 403 && name === "validation_error" ? "sender_not_verified" : name;
  } catch {
    return `status_${status}`;
  }
}
