import "./environment.js";
import { expect } from "vitest";
import type { ErrorCode } from "../../lib/errors.js";
import { Problem } from "../../lib/http/problem.js";
import { contractOf } from "../../lib/http/reply.js";
import type { Method } from "../../lib/http/resource.js";
import type { Route } from "../../lib/http/route.js";
import { errorsOf } from "../../lib/http/step-errors.js";
import { rememberSecrets } from "./secrets-seen.js";

export interface CallOptions {
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
  /** The client IP address; by default each test file has its own. */
  ip?: string;
  url?: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any expected field
  body: any;
  code: ErrorCode | undefined;
}

const ownAddress = `10.${byte()}.${byte()}.${byte()}`;

/** Call a function like the platform, and check its reply against the declared contract. */
export async function call(
  route: Route,
  method: Method | "HEAD" | "OPTIONS",
  options: CallOptions = {},
): Promise<Answer> {
  const { body, token, headers = {}, ip = ownAddress } = options;
  const url = options.url ?? `http://localhost:8080${route.template}`;
  const response = await route.fetch(
    new Request(url, {
      method,
      headers: {
        "x-vercel-forwarded-for": ip,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: rawOrJson(body), duplex: "half" }),
    } as RequestInit),
  );
  const text = await response.text();
  const isText = response.headers.get("content-type")?.startsWith("text/");
  const parsed = text === "" ? undefined : isText ? text : JSON.parse(text);
  rememberSecrets(body, token);
  if (response.ok) rememberSecrets(parsed);
  const answer = { status: response.status, headers: response.headers, body: parsed };
  return { ...answer, code: checkContract(route, method, answer) };
}

function checkContract(
  route: Route,
  method: string,
  { status, headers, body }: { status: number; headers: Headers; body: unknown },
): ErrorCode | undefined {
  const endpoint = route.endpoints[(method === "HEAD" ? "GET" : method) as Method];
  if (headers.get("content-type") === "application/problem+json") {
    if (body === undefined) return undefined;
    const problem = Problem.parse(body);
    expect(problem.status).toBe(status);
    if (endpoint) expect([...errorsOf(endpoint, route.template)]).toContain(problem.code);
    return problem.code;
  }
  const declared = endpoint?.replies[status];
  if (declared && body !== undefined) contractOf(declared).body?.parse(body);
  else if (endpoint) expect(Object.keys(endpoint.replies)).toContain(String(status));
  return undefined;
}

function rawOrJson(body: unknown): NonNullable<RequestInit["body"]> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  return isRaw || body instanceof ReadableStream
    ? (body as NonNullable<RequestInit["body"]>)
    : JSON.stringify(body);
}

function byte(): number {
  return Math.floor(Math.random() * 256);
}
