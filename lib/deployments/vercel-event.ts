import * as z from "zod";
import type { Context } from "../context.js";
import { type DeploymentEvent, reasonFrom, recordDelivery } from "./record.js";

const id = z
  .string()
  .min(1)
  .max(128)
  .meta({ examples: ["dpl_8wDvgCyNKT5UMsvdhz1XnAKcXtGY"] });
/** Milliseconds since 1970; documented as a date. */
const createdAt = z.union([z.number(), z.string().max(64)]).meta({ examples: [1_790_000_000_000] });
const project = z.object({ id });
const user = z.object({ id }).nullish();
const sha = z.string().max(128);
const message = z.string();

export const VercelMeta = z.object({
  githubCommitSha: sha.optional(),
  githubCommitMessage: message.optional(),
  gitlabCommitSha: sha.optional(),
  gitlabCommitMessage: message.optional(),
  bitbucketCommitSha: sha.optional(),
  bitbucketCommitMessage: message.optional(),
});
const deployment = z.object({
  id,
  url: z.string().max(512).nullish(),
  meta: VercelMeta.nullish(),
});

const kinds = {
  "deployment.created": "requested",
  "deployment.succeeded": "ready",
  "deployment.promoted": "live",
  "deployment.error": "failed",
  "deployment.canceled": "cancelled",
} as const;

/** Source: vercel.com/docs/webhooks/webhooks-api. */
export const VercelEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.enum([
      "deployment.created",
      "deployment.succeeded",
      "deployment.error",
      "deployment.canceled",
    ]),
    id,
    createdAt,
    payload: z.object({ project, user, deployment, target: z.literal("production") }),
  }),
  z.object({
    type: z.literal("deployment.promoted"),
    id,
    createdAt,
    // Only a deployment of production can be promoted, so a missing target says nothing.
    payload: z.object({ project, user, deployment, target: z.literal("production").nullish() }),
  }),
  z.object({
    type: z.literal("deployment.rollback"),
    id,
    createdAt,
    payload: z.object({ project, user, fromDeploymentId: id, toDeploymentId: id }),
  }),
]);
type VercelEvent = z.infer<typeof VercelEvent>;

/** Record what happened to a deployment of production. Other events, projects and targets are ignored; redelivery is harmless. */
export async function recordVercelEvent(ctx: Context, received: unknown): Promise<void> {
  const { data: event } = VercelEvent.safeParse(received);
  const { projectId } = ctx.env.vercel;
  if (!event || !projectId || event.payload.project.id !== projectId) return;
  const at = new Date(event.createdAt);
  if (Number.isNaN(at.getTime())) return;
  await recordDelivery(ctx, event.id, eventsOf(event, at));
}

function eventsOf(event: VercelEvent, at: Date): DeploymentEvent[] {
  const actor = event.payload.user?.id ?? null;
  if (event.type === "deployment.rollback") {
    const { fromDeploymentId: from, toDeploymentId: to } = event.payload;
    return [switchEvent(from, "rolled_back", at, actor), switchEvent(to, "live", at, actor)];
  }
  const { id, url, meta } = event.payload.deployment;
  const deployment = { id, url: url ?? null, ...commitOf(meta) };
  return [{ deployment, kind: kinds[event.type], at, actor }];
}

/** Of a rollback or a promotion, which name only the IDs: the other events of the two deployments describe them. */
export const switchEvent = (
  id: string,
  kind: "live" | "rolled_back",
  at: Date,
  actor: string | null = null,
): DeploymentEvent => ({
  deployment: { id, sha: null, url: null, reason: null },
  kind,
  at,
  actor,
});

export function commitOf(meta: z.infer<typeof VercelMeta> | null | undefined) {
  const sha = meta?.githubCommitSha ?? meta?.gitlabCommitSha ?? meta?.bitbucketCommitSha;
  const message =
    meta?.githubCommitMessage ?? meta?.gitlabCommitMessage ?? meta?.bitbucketCommitMessage;
  return { sha: sha ?? null, reason: reasonFrom(message) };
}
