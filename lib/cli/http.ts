import { randomUUID } from "node:crypto";
import { FailedError, RefusedError, UsageError } from "./failures.js";
import { visible } from "./text.js";

export interface HttpAnswer {
  status: number;
  body: unknown;
  /** The code of a problem+json body. */
  code: string | undefined;
}

interface HttpCall {
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const timeoutMs = 15_000;
/** Throws `FailedError` when the deployment redirects or does not answer within 15 s; not on an error status. */
export async function exchange(url: URL, call: HttpCall): Promise<HttpAnswer> {
  const { status, location, text } = await send(url, call).catch(() => {
    throw new FailedError(`${url.origin} does not answer.`);
  });
  if (location !== null && status >= 300 && status < 400) {
    const other = URL.canParse(location, url.href) ? new URL(location, url).origin : location;
    throw new FailedError(
      `${url.origin} redirects to ${other}. If that is the deployment, set it with --url.`,
    );
  }
  const body = parsed(text);
  const code = (body as { code?: unknown } | null)?.code;
  return { status, body, code: typeof code === "string" ? code : undefined };
}

async function send(url: URL, { method, path, body, headers }: HttpCall) {
  const response = await fetch(new URL(path, url), {
    method,
    // Credentials must not follow a redirect to another host.
    redirect: "manual",
    headers: {
      "x-correlation-id": randomUUID(),
      ...headers,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const location = response.headers.get("location");
  return { status: response.status, location, text: await response.text() };
}

/** Status, code, message, invalid fields and correlation ID, on one line. */
export function problemText({ status, body, code }: HttpAnswer): string {
  const { detail, title, correlationId, errors } = (body ?? {}) as Record<string, unknown>;
  const fields = Array.isArray(errors)
    ? errors.map((field) => `${field.pointer || "the body"}: ${field.message}`).join("; ")
    : "";
  const summary = `${status} ${code ?? ""}: ${detail ?? title ?? "no reason given"}`;
  const correlation = correlationId ? ` Correlation ID ${correlationId}.` : "";
  return visible(`${summary}${fields && ` (${fields})`}${correlation}`);
}

export function requireSuccess(answer: HttpAnswer): void {
  if (answer.status < 300) return;
  const problem = problemText(answer);
  if (answer.code === "validation_failed") throw new UsageError(problem);
  const isRefused = answer.status === 401 || answer.status === 403;
  throw isRefused ? new RefusedError(problem) : new FailedError(problem);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
