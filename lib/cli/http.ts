import { randomUUID } from "node:crypto";
import { type HttpReply, send } from "../platform/keep-alive-http.js";
import {
  FailedError,
  type FailureBody,
  NotFoundError,
  RefusedError,
  UnreachableError,
  UsageError,
} from "./failures.js";
import { visible } from "./text.js";

export interface HttpAnswer {
  status: number;
  /** Undefined when it is not JSON. */
  body: unknown;
  /** The code of a problem+json body. */
  code: string | undefined;
  /** `GET https://example.com/api/ops/alerts answered 200 with text/html (512 bytes)`; no excerpt, because it may be secret. */
  received: string;
  retryAfter: string | undefined;
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
  const {
    status,
    headers,
    body: text,
  } = await request(url, call).catch((error) => {
    const text = `${url.origin} does not answer: ${reasonOf(error)}.`;
    const isSent = error.name === "TimeoutError" || error.code === "ECONNRESET";
    throw isSent
      ? new FailedError(text, { code: "no_answer" })
      : new UnreachableError(text, { code: "no_answer" });
  });
  // Not followed: credentials must not go to another host.
  const { location } = headers;
  if (location !== undefined && status >= 300 && status < 400) {
    const other = URL.canParse(location, url.href) ? new URL(location, url).origin : location;
    throw new FailedError(
      `${url.origin} redirects to ${other}. If that is the deployment, set it with --url.`,
      { code: "redirected" },
    );
  }
  const body = parsed(text);
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return {
    status,
    body,
    code: typeof code === "string" ? code : undefined,
    received: receivedOf(url, call.method, call.path, status, text, headers["content-type"]),
    retryAfter: headers["retry-after"],
  };
}

export function receivedOf(
  url: URL,
  method: string,
  target: string,
  status: number,
  text: string,
  contentType = "",
): string {
  const [path = ""] = target.split("?");
  const type = contentType.split(";")[0] || "no content type";
  const what = text === "" ? "an empty body" : `${type} (${Buffer.byteLength(text)} bytes)`;
  return visible(`${method} ${url.origin}${path} answered ${status} with ${what}`);
}

function request(url: URL, { method, path, body, headers }: HttpCall): Promise<HttpReply> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  return send(new URL(path, url), method, {
    headers: {
      "x-correlation-id": randomUUID(),
      ...headers,
      ...(json !== undefined && { "content-type": "application/json" }),
    },
    ...(json !== undefined && { body: json }),
    timeoutMs,
  });
}

const reasons: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "it closed the connection",
  ENOTFOUND: "DNS does not know the host",
  EAI_AGAIN: "DNS does not answer",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "connection timed out",
  EPROTO: "TLS failed, is it an http:// URL?",
};

function reasonOf(error: NodeJS.ErrnoException): string {
  const { name, code = "", message } = error;
  if (name === "TimeoutError") return `no reply within ${timeoutMs / 1000} s`;
  // OpenSSL's messages have several lines.
  const [first = ""] = message.split("\n");
  if (code.startsWith("ERR_SSL")) return reasons.EPROTO as string;
  return reasons[code] ?? visible(first || code);
}

const storeAdvice =
  " Postgres is down, refuses the connection, or a lock delays the statement: see `npm run ops -- status` and `db status`.";

/** Status, code, message, invalid fields and correlation ID, on one line. */
export function problemText(
  answer: Pick<HttpAnswer, "status" | "code" | "body"> & Partial<HttpAnswer>,
): string {
  const { status, body, code, received, retryAfter } = answer;
  if (code === undefined && received) return `${received}. Is this the deployment? Check --url.`;
  const { detail, title, correlationId, errors } = (body ?? {}) as Record<string, unknown>;
  const fields = Array.isArray(errors)
    ? errors.map((field) => `${field?.pointer || "the body"}: ${field?.message}`).join("; ")
    : "";
  const reason = String(detail ?? title ?? "no reason given");
  const said = retryAfter ? reason.replace(/ Try again( later)?\.$/, "") : reason;
  const summary = `${status} ${code ?? ""}: ${said}`;
  const wait = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  const correlation = correlationId ? ` Correlation ID ${correlationId}.` : "";
  // Other causes are rare on the routes for operators.
  const cause = code === "service_unavailable" ? storeAdvice : "";
  return visible(`${summary}${fields && ` (${fields})`}${wait}${correlation}${cause}`);
}

/** The error of an answer with an error status. `advice` follows a refusal, by its code. */
export function errorOf(answer: HttpAnswer, advice: Record<string, string> = {}): Error {
  const problem = problemText(answer);
  const body = failureBodyOf(answer);
  if (answer.code === "validation_failed") return new UsageError(problem, body);
  if (answer.code === "not_found") return new NotFoundError(problem, body);
  if (answer.status !== 401 && answer.status !== 403) return new FailedError(problem, body);
  const todo = advice[answer.code ?? ""];
  return new RefusedError(todo ? `${problem} ${todo}` : problem, body);
}

/** The problem as received. */
function failureBodyOf({ status, code, body, retryAfter }: HttpAnswer): FailureBody {
  return {
    ...(code === undefined ? {} : (body as object)),
    status,
    code: code ?? "unexpected_reply",
    ...(retryAfter !== undefined && { retryAfterSeconds: Number(retryAfter) }),
  };
}

export function requireSuccess(answer: HttpAnswer): void {
  if (answer.status >= 300) throw errorOf(answer);
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
