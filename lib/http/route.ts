import { waitUntil } from "@vercel/functions";
import type { Context, Database } from "../context.js";
import { databaseForRequest } from "../db/database.js";
import { type Env, EnvironmentError, env } from "../env.js";
import { AppError, catalogue, type ErrorCode } from "../errors.js";
import { environmentRead } from "../observability/log-lines/environment.js";
import { requestCompleted, unexpectedError } from "../observability/log-lines/http.js";
import { reportOf, traceOf } from "../observability/report-to-sentry.js";
import { emptyRequestMetrics } from "../request-metrics.js";
import { requestStarted } from "../requests-in-flight.js";
import type { FinishedRequest } from "../telemetry/request-event.js";
import { afterReply } from "./after-reply.js";
import { callerAddress } from "./caller-address.js";
import { correlationIdOf } from "./correlation.js";
import { corsHeaders } from "./cors.js";
import type { Exchange, Work } from "./exchange.js";
import { runPipeline } from "./pipeline.js";
import { problemReply, toAppError } from "./problem.js";
import { Reply } from "./reply.js";
import { reportRefusal, reportUrlAttack } from "./report-attacks.js";
import type { Endpoints, Resource } from "./resource.js";
import { securityHeaders } from "./security-headers.js";
import { type BodyCut, streamedBody } from "./streamed-body.js";

export interface Route extends Resource {
  fetch(request: Request): Promise<Response>;
}

/** `fetch` turns errors of the pipeline into problem replies. HEAD is GET without the body. `template` must match the file. */
export function route(template: string, endpoints: Endpoints): Route {
  const resource: Resource = { template, endpoints };

  async function fetch(request: Request): Promise<Response> {
    let environment: Env;
    try {
      environment = env();
    } catch (error) {
      return misconfigured(error, correlationIdOf(request));
    }
    const startedAt = performance.now();
    environmentRead(environment);
    const exchange = open(request, template, environment);
    const { ctx, url } = exchange;
    let bodyEnded: Promise<BodyCut | undefined> | undefined;
    const respond = (reply: Reply) => {
      const headers = Object.assign(
        { "X-Correlation-ID": ctx.correlationId },
        securityHeaders(environment),
        corsHeaders(request, url, environment),
        exchange.headers,
      );
      const headOnly = request.method === "HEAD";
      if (headOnly || !isInParts(reply.body)) return responseOf(reply, headers, headOnly);
      const { stream, ended } = streamedBody(reply.body);
      bodyEnded = ended;
      return responseOf(new Reply(reply.status, stream, reply.headers), headers, headOnly);
    };
    let error: AppError | undefined;
    let response: Response;
    reportUrlAttack(exchange);
    requestStarted();
    try {
      const reply = await runPipeline(resource, exchange);
      response = isShared(resource, request.method)
        ? responseOf(reply, sharedHeaders(environment), request.method === "HEAD")
        : respond(reply);
    } catch (thrown) {
      error = toAppError(thrown);
      reportRefusal(ctx, error);
      response = respond(problemReply(error, ctx.correlationId));
    }
    if (error && unexpectedCodes.includes(error.code)) {
      unexpectedError(ctx.correlationId, template, error);
    }
    const durationMs = performance.now() - startedAt;
    const finish = (cut?: BodyCut) => {
      const failure = cut?.error ?? error;
      const ended: FinishedRequest = {
        method: request.method,
        status: cut ? statusOf(cut) : response.status,
        durationMs,
        code: failure?.code,
        appVersion: request.headers.get("x-app-version"),
      };
      requestCompleted({
        ...ended,
        correlationId: ctx.correlationId,
        path: url.pathname,
        ip: ctx.address,
        cut: cut && (cut.error ? "failed" : "aborted"),
      });
      return afterReply(exchange, ended, reportOf(ctx, ended, failure));
    };
    waitUntil(bodyEnded ? bodyEnded.then(finish) : finish());
    return response;
  }

  return { ...resource, fetch };
}

function isShared({ endpoints }: Resource, method: string): boolean {
  return (method === "GET" || method === "HEAD") && endpoints.GET?.isShared === true;
}

/** The same for all callers: a cache would repeat a correlation ID, a rate limit or an origin. */
const sharedHeaders = (environment: Env): Record<string, string> => ({
  ...securityHeaders(environment),
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "ETag",
});

/** 499 as nginx logs it: the status of the head would count as a success. */
const statusOf = ({ error }: BodyCut) => (error ? catalogue[error.code].status : 499);

const isInParts = (body: unknown): body is AsyncGenerator<string, void> =>
  typeof body === "object" && body !== null && Symbol.asyncIterator in body;

const unexpectedCodes: readonly ErrorCode[] = [
  "internal_error",
  "service_unavailable",
  "redis_unavailable",
];

function open(request: Request, template: string, environment: Env): Exchange {
  const correlationId = correlationIdOf(request);
  const deferred: Work[] = [];
  const trace = traceOf(request.headers, environment, template);
  let db: Database | undefined;
  const ctx: Context = {
    env: environment,
    // Created on first use: liveness must not depend on the address of a store.
    get db() {
      db ??= databaseForRequest({ correlationId, trace });
      return db;
    },
    now: new Date(),
    correlationId,
    route: template,
    address: callerAddress(request, environment),
    requestMetrics: emptyRequestMetrics(),
    gate: null,
    trace,
    after: (work) => deferred.push(work),
  };
  return { request, url: new URL(request.url), ctx, headers: {}, deferred };
}

/** `headers` is changed. */
function responseOf(
  { status, body, headers: own }: Reply,
  headers: Record<string, string>,
  headOnly: boolean,
): Response {
  if (body === undefined || body === null) {
    return new Response(null, { status, headers: Object.assign(headers, own) });
  }
  if (isInParts(body)) {
    headers["Content-Type"] = "application/json";
    const stream = body instanceof ReadableStream ? body : null;
    return new Response(stream, { status, headers: Object.assign(headers, own) });
  }
  const isText = own["Content-Type"]?.startsWith("text/");
  const text = isText ? String(body) : JSON.stringify(body);
  headers["Content-Type"] = "application/json";
  headers["Content-Length"] = String(Buffer.byteLength(text));
  return new Response(headOnly ? null : text, { status, headers: Object.assign(headers, own) });
}

function misconfigured(error: unknown, correlationId: string): Response {
  const message =
    error instanceof EnvironmentError ? error.message : "The environment is unreadable";
  console.error(`Error: ${message}`);
  const reply = problemReply(new AppError("internal_error"), correlationId);
  const headers = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Correlation-ID": correlationId,
  };
  return responseOf(reply, headers, false);
}
