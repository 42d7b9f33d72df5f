import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Context } from "../context.js";
import { correlationHeader, externalCall } from "../observability/external-call.js";
import { type HttpReply, send } from "../platform/keep-alive-http.js";
import { VercelMeta } from "./vercel-event.js";

/** Vercel's API did not give what was asked for. The message has the status, never the token. */
export class VercelApiError extends Error {
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
const deadlineMs = 5000;
const triesMax = 3;
const waitMsMax = 2000;

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
    if (until === null) break;
  }
  return found;
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
  for (let tried = 1; ; tried += 1) {
    const { outcome, value, retryAfterMs } = await externalCall(
      ctx,
      { service: "vercel", operation },
      () => attempt(url, headers, schema),
      (result) => result.outcome,
    );
    if (outcome === "ok") return value as z.output<S>;
    const mayRetry = /^(timeout|network|status_(429|5\d\d))$/.test(outcome);
    if (!mayRetry || tried === triesMax) {
      throw new VercelApiError(`Vercel's API: ${operation} failed (${outcome})`);
    }
    const waitMs = retryAfterMs ?? 250 * 2 ** tried * (0.5 + Math.random());
    await sleep(Math.min(waitMs, waitMsMax));
  }
}

interface Attempt {
  outcome: string;
  value?: unknown;
  retryAfterMs?: number | undefined;
}

async function attempt(
  url: URL,
  headers: Record<string, string>,
  schema: z.ZodType,
): Promise<Attempt> {
  let reply: HttpReply;
  try {
    reply = await send(url, "GET", { headers, timeoutMs: deadlineMs });
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { outcome: isLate ? "timeout" : "network" };
  }
  const { status, body } = reply;
  if (status !== 200) {
    const seconds = Number(reply.headers["retry-after"] ?? Number.NaN);
    return {
      outcome: `status_${status}`,
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    };
  }
  try {
    return { outcome: "ok", value: schema.parse(JSON.parse(body)) };
  } catch {
    return { outcome: "invalid_reply" };
  }
}
