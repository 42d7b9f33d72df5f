import type * as z from "zod";
import type { Context } from "../../context.js";
import type { Env } from "../../env.js";
import { externalCall } from "../../observability/external-call.js";
import { type Attempt, repeatedCall } from "../../observability/repeated-call.js";
import { boundedText, retryAfterMs } from "../../reply-text.js";
import { BackupStoreError } from "../store-error.js";
import { type OperationName, operations } from "./operations.js";

export type NeonSettings = NonNullable<Env["backups"]["neon"]>;

interface NeonCall<S extends z.ZodType | undefined, Absent extends boolean = boolean> {
  /** For the path of the operation. The project is known. */
  ids?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  /** Without it the body of a success is not read. */
  reply?: S;
  /** 404 is an answer, too: null. */
  mayBeAbsent?: Absent;
}
type Answer<S, Absent> =
  | (S extends z.ZodType ? z.output<S> : undefined)
  | (Absent extends true ? null : never);

interface NeonAttempt extends Attempt {
  value?: unknown;
}

const attemptMs = 6000;
/** Of all attempts together: below the lease of a drill's step. */
const totalMs = 12_000;
const retriesMax = 2;
const pauseMs = 500;
const replyBytesMax = 4 * 1024 * 1024;

/**
 * Call Neon's API; each attempt is recorded as a call to the service `neon`. Repeats 423 and 503, which say that nothing was
 * done; other failures only if the operation may be repeated. Throws a `BackupStoreError`.
 */
export async function callNeon<
  S extends z.ZodType | undefined = undefined,
  Absent extends boolean = false,
>(
  ctx: Context,
  settings: NeonSettings,
  operation: OperationName,
  call: NeonCall<S, Absent> = {},
): Promise<Answer<S, Absent>> {
  const { outcome, value } = await repeatedCall(
    ctx,
    {
      ...{ service: "neon", operation, attemptMs, retriesMax, pauseMs },
      endsAtMs: performance.now() + totalMs,
      mayRepeat: (outcome) => mayRepeat(operation, outcome),
    },
    (timeoutMs) => attempt(ctx, settings, operation, call, timeoutMs),
  );
  if (outcome !== "ok") {
    throw new BackupStoreError(messageOf(operation, outcome), isRefusal(outcome));
  }
  return value as Answer<S, Absent>;
}

function mayRepeat(operation: OperationName, outcome: string): boolean {
  if (/^status_(423|429|503)$/.test(outcome)) return true;
  const isTransient = /^(network|timeout|status_5\d\d|status_408)$/.test(outcome);
  return isTransient && operations[operation].mayBeRepeated;
}

const isRefusal = (outcome: string) => /^status_4(?!08|23|29)/.test(outcome);

function messageOf(operation: OperationName, outcome: string): string {
  const { about } = operations[operation];
  if (outcome === "status_401" || outcome === "status_403") {
    return `${about}: Neon refuses NEON_API_KEY (${outcome.replace("_", " ")})`;
  }
  return `${about}: ${reasons[outcome] ?? `Neon answered ${outcome.replace("_", " ")}`}`;
}

const reasons: Record<string, string> = {
  timeout: "Neon did not answer in time",
  network: "Neon could not be reached",
  invalid_reply: "Neon's answer could not be read",
};

async function attempt(
  ctx: Context,
  settings: NeonSettings,
  operation: OperationName,
  call: NeonCall<z.ZodType | undefined>,
  timeoutMs: number,
): Promise<NeonAttempt> {
  const { method } = operations[operation];
  const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
  const ask = async (): Promise<NeonAttempt> => {
    try {
      const response = await fetch(urlOf(settings, operation, call), {
        method,
        // The API key must not follow a redirect to another host.
        redirect: "manual",
        signal: deadline,
        headers: {
          Accept: "application/json",
          Authorization: `Bearer ${settings.apiKey}`,
          "X-Request-ID": ctx.correlationId,
          ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      if (call.mayBeAbsent && response.status === 404) {
        await response.body?.cancel();
        return { outcome: "ok", value: null, retryAfterMs: 0 };
      }
      return await readReply(response, call.reply);
    } catch {
      return { outcome: deadline.aborted ? "timeout" : "network", retryAfterMs: 0 };
    }
  };
  return externalCall(ctx, { service: "neon", operation }, ask, ({ outcome }) => outcome);
}

function urlOf(
  { apiUrl, projectId }: NeonSettings,
  operation: OperationName,
  { ids = {}, query = {} }: NeonCall<z.ZodType | undefined>,
): string {
  const known: Record<string, string> = { project: projectId, ...ids };
  const path = operations[operation].path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(known[name] ?? ""),
  );
  const search = new URLSearchParams(query).toString();
  return `${apiUrl.replace(/\/+$/, "")}${path}${search && `?${search}`}`;
}

async function readReply(response: Response, reply: z.ZodType | undefined): Promise<NeonAttempt> {
  const { ok, status, headers } = response;
  if (!ok || !reply) {
    await response.body?.cancel();
    const outcome = ok ? "ok" : `status_${status}`;
    return { outcome, retryAfterMs: retryAfterMs(headers.get("retry-after")) };
  }
  const text = await boundedText(response, replyBytesMax);
  try {
    return { outcome: "ok", value: reply.parse(JSON.parse(text ?? "")), retryAfterMs: 0 };
  } catch {
    return { outcome: "invalid_reply", retryAfterMs: 0 };
  }
}
