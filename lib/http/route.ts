import { waitUntil } from "@vercel/functions";
import type { Context } from "../context.js";
import { database } from "../db/database.js";
import { type Env, EnvironmentError, env } from "../env.js";
import { AppError } from "../errors.js";
import {
  environmentRead,
  requestCompleted,
  unexpectedError,
  workFailed,
} from "../observability/events.js";
import { isOutdatedApp } from "./app-version.js";
import { callerAddress } from "./caller-address.js";
import { correlationIdOf } from "./correlation.js";
import { corsHeaders, preflightHeaders } from "./cors.js";
import type { Endpoint } from "./endpoint.js";
import { isHostAllowed } from "./hosts.js";
import { type Exchange, pass, type Work } from "./pass.js";
import { pathParams } from "./path.js";
import { problemReply, toAppError } from "./problem.js";
import { Reply } from "./reply.js";
import { securityHeaders } from "./security-headers.js";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Endpoints = Partial<Record<Method, Endpoint>>;

/** A deployed function: what the platform calls, and what tests call. */
export interface Route {
  fetch(request: Request): Promise<Response>;
  readonly template: string;
  readonly endpoints: Endpoints;
}

/**
 * One URL with its methods. HEAD is GET without the body, OPTIONS answers by itself, anything else is
 * 405 with `Allow`. `template` repeats the file's path, as `/api/user/sessions/:sessionId`.
 */
export function route(template: string, endpoints: Endpoints): Route {
  const methods = Object.keys(endpoints);
  const allow = [...methods, ...(endpoints.GET ? ["HEAD"] : []), "OPTIONS"].join(", ");

  async function answer(exchange: Exchange, url: URL): Promise<Reply> {
    const { request, ctx } = exchange;
    const method = request.method === "HEAD" ? "GET" : request.method;
    const endpoint = isMethod(method) ? endpoints[method] : undefined;
    if (!endpoint?.anyHost && !isHostAllowed(url, ctx.env)) throw new AppError("host_not_allowed");
    if (request.method === "OPTIONS") {
      return new Reply(204, undefined, { Allow: allow, ...preflightHeaders(allow) });
    }
    if (!endpoint) throw new AppError("method_not_allowed", { headers: { Allow: allow } });
    if (isOutdatedApp(request.headers, ctx.env)) throw new AppError("upgrade_required");
    exchange.params = pathParams(template, url);
    return pass(endpoint, exchange);
  }

  async function fetch(request: Request): Promise<Response> {
    let environment: Env;
    try {
      environment = env();
    } catch (error) {
      return misconfigured(error, correlationIdOf(request));
    }
    const startedAt = performance.now();
    environmentRead(environment);
    const exchange = open(request, environment);
    const { ctx, address } = exchange;
    const url = new URL(request.url);
    const respond = (reply: Reply) =>
      responseOf(
        reply,
        {
          ...securityHeaders(environment),
          "X-Correlation-ID": ctx.correlationId,
          ...corsHeaders(request, url, environment),
          ...exchange.headers,
        },
        request.method === "HEAD",
      );
    let error: AppError | undefined;
    let response: Response;
    try {
      response = respond(await answer(exchange, url));
    } catch (thrown) {
      error = toAppError(thrown);
      response = respond(problemReply(error, ctx.correlationId));
    }
    if (error?.code === "internal_error" || error?.code === "service_unavailable") {
      unexpectedError(ctx.correlationId, template, error);
    }
    requestCompleted({
      correlationId: ctx.correlationId,
      method: request.method,
      path: url.pathname,
      ip: address,
      status: response.status,
      durationMs: performance.now() - startedAt,
      code: error?.code,
    });
    if (exchange.deferred.length > 0) waitUntil(afterReply(exchange.deferred, ctx.correlationId));
    return response;
  }

  return { fetch, template, endpoints };
}

function open(request: Request, environment: Env): Exchange {
  const correlationId = correlationIdOf(request);
  const deferred: Work[] = [];
  const ctx: Context = {
    env: environment,
    // Reached for only where it is used: liveness must not depend on a store's address.
    get db() {
      return database();
    },
    now: new Date(),
    correlationId,
    after: (work) => deferred.push(work),
  };
  const address = callerAddress(request, environment);
  return { request, ctx, address, params: {}, headers: {}, deferred };
}

/** Begin on the next turn of the event loop, when the reply is on its way. */
async function afterReply(deferred: Work[], correlationId: string): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  // Work may leave more work, which is another round.
  while (deferred.length > 0) {
    const round = deferred.splice(0).map((work) => work());
    for (const outcome of await Promise.allSettled(round)) {
      if (outcome.status === "rejected") workFailed(correlationId, outcome.reason);
    }
  }
}

function responseOf(reply: Reply, headers: Record<string, string>, headOnly: boolean): Response {
  if (reply.body === undefined || reply.body === null) {
    return new Response(null, { status: reply.status, headers: { ...headers, ...reply.headers } });
  }
  const body = JSON.stringify(reply.body);
  return new Response(headOnly ? null : body, {
    status: reply.status,
    headers: {
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      ...headers,
      ...reply.headers,
    },
  });
}

/** Without an environment there is no logger and no policy: say so, and tell the caller nothing. */
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

function isMethod(method: string): method is Method {
  return ["GET", "POST", "PUT", "PATCH", "DELETE"].includes(method);
}
