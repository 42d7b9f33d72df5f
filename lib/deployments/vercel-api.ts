import * as z from "zod";
import type { Context } from "../context.js";
import { correlationHeader, externalCall } from "../observability/external-call.js";
import { type Attempt, repeatedCall } from "../observability/repeated-call.js";
import { type HttpCall, type HttpReply, send } from "../platform/keep-alive-http.js";
import { retryAfterMs } from "../reply-text.js";
import { VercelMeta } from "./vercel-event.js";

/** Vercel's API did not give what was asked for. The message has the status, never the token. */
class VercelApiError extends Error {
  override readonly name = "VercelApiError";
}

const ms = z.number();
const Listed = z.object({
  uid: z.string().max(128),
  url: z.string().nullish(),
  /** Also sent as `createdAt`. */
  created: ms,
  buildingAt: ms.nullish(),
  ready: ms.nullish(),
  /** When its domains were assigned; a boolean in old deployments. */
  aliasAssigned: z.union([ms, z.boolean()]).nullish(),
  state: z.string().optional(),
  readyState: z.string().optional(),
  readySubstate: z.string().optional(),
  creator: z.object({ uid: z.string() }).nullish(),
  meta: VercelMeta.nullish(),
});
export type Listed = z.infer<typeof Listed>;

const Deployments = z.object({
  deployments: z.array(Listed),
  pagination: z.object({ next: ms.nullable() }),
});

const Project = z.object({
  targets: z.object({ production: z.object({ id: z.string() }).nullish() }).nullish(),
  lastAliasRequest: z
    .object({
      fromDeploymentId: z.string(),
      toDeploymentId: z.string(),
      jobStatus: z.string(),
      requestedAt: ms,
      type: z.string(),
    })
    .nullish(),
});
export type Project = z.infer<typeof Project>;

const pageSize = 100;
const pagesMax = 20;
const attemptMs = 5000;
const totalMs = 15_000;
const retriesMax = 2;
const pauseMs = 500;

/** The deployments of production created after `since`, newest first. Throws `VercelApiError`. Safe to retry. */
export async function listDeployments(ctx: Context, since: Date): Promise<Listed[]> {
  const query = { target: "production", limit: String(pageSize), since: String(since.getTime()) };
  const found: Listed[] = [];
  let until: number | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const { deployments, pagination }: z.infer<typeof Deployments> = await ask(
      ctx,
      { operation: "list_deployments", path: "/v6/deployments" },
      Deployments,
      {
        ...query,
        projectId: ctx.env.vercel.projectId,
        until: until === null ? undefined : String(until),
      },
    );
    found.push(...deployments);
    until = pagination.next;
    if (until === null) return found;
  }
  throw new VercelApiError("Vercel's API: there are too many deployments");
}

/** Which deployment is live, and the last promotion or rollback. Throws `VercelApiError`. */
export function getProject(ctx: Context): Promise<Project> {
  const path = `/v9/projects/${encodeURIComponent(ctx.env.vercel.projectId ?? "")}`;
  return ask(ctx, { operation: "get_project", path }, Project, {});
}

async function ask<S extends z.ZodType>(
  ctx: Context,
  { operation, path }: { operation: string; path: string },
  schema: S,
  query: Record<string, string | undefined>,
): Promise<z.output<S>> {
  const { apiUrl, token, teamId } = ctx.env.vercel;
  const url = new URL(`${apiUrl.replace(/\/+$/, "")}${path}`);
  for (const [name, value] of Object.entries({ ...query, teamId })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const headers = { authorization: `Bearer ${token}`, ...correlationHeader(ctx.correlationId) };
  const call = { service: "vercel", operation };
  const { outcome, value } = await repeatedCall(
    ctx,
    {
      ...{ ...call, attemptMs, retriesMax, pauseMs },
      endsAtMs: performance.now() + totalMs,
      mayRepeat: (failure) => /^(timeout|network|status_(429|5\d\d))$/.test(failure),
    },
    (timeoutMs) =>
      externalCall(
        ctx,
        call,
        () => attempt(url, { headers, timeoutMs }, schema),
        (made) => made.outcome,
      ),
  );
  if (outcome !== "ok") throw new VercelApiError(`Vercel's API: ${operation} failed (${outcome})`);
  return value as z.output<S>;
}

interface VercelAttempt extends Attempt {
  value?: unknown;
}

async function attempt(url: URL, call: HttpCall, schema: z.ZodType): Promise<VercelAttempt> {
  let reply: HttpReply;
  try {
    reply = await send(url, "GET", call);
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { outcome: isLate ? "timeout" : "network", retryAfterMs: 0 };
  }
  const { status, body } = reply;
  if (status !== 200) {
    return {
      outcome: `status_${status}`,
      retryAfterMs: retryAfterMs(reply.headers["retry-after"]),
    };
  }
  try {
    return { outcome: "ok", value: schema.parse(JSON.parse(body)), retryAfterMs: 0 };
  } catch {
    return { outcome: "invalid_reply", retryAfterMs: 0 };
  }
}
