import { randomUUID } from "node:crypto";
import { and, desc, eq, gt, inArray, isNull, or, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import { type Operator, requireAdmin } from "../auth/operator/operator.js";
import {
  lockRoles,
  requireCurrentAuthority,
  revokeOperatorTokensOf,
} from "../auth/operator/role.js";
import { getSubject } from "../auth/operator/subject.js";
import { lockAccount, revokeSessions } from "../auth/session/session.js";
import { enforceRevocationsOf } from "../auth/session/sweep-session-keys.js";
import type { Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { users } from "../db/schema/accounts.js";
import { blocks, mirrorVersions } from "../db/schema/gate.js";
import { AppError } from "../errors.js";
import { blockableNetwork, networksOf, overlap, userMember } from "./block-members.js";
import { copyChangeToRedis, isInRedis } from "./mirror.js";
import { readRecorded } from "./recorded-rules.js";

const daysMax = 30;

export const NewBlock = {
  kind: z.enum(["ip", "cidr", "user"]),
  value: z
    .string()
    .trim()
    .min(1)
    .max(254)
    .meta({ examples: ["198.51.100.7"] }),
  ttlSeconds: z
    .int()
    .min(60)
    .max(daysMax * 86_400)
    .meta({ examples: [3600] }),
};
export type NewBlock = z.infer<z.ZodObject<typeof NewBlock>>;

export const BlockDetails = z.strictObject({
  id: z.uuid(),
  kind: z.enum(["ip", "cidr", "user"]),
  /** A network such as `203.0.113.0/24`, or `user:<id>`. */
  value: z.string(),
  reason: z.string(),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type BlockDetails = z.infer<typeof BlockDetails>;

export const BlockList = z.strictObject({
  items: z.array(BlockDetails),
  /** False when Redis does not have these blocks, or does not answer. */
  inForce: z.boolean().optional(),
});

export async function listBlocks(ctx: Context): Promise<z.infer<typeof BlockList>> {
  const [items, { blocks: recorded }] = await Promise.all([readStanding(ctx), readRecorded(ctx)]);
  return { items, inForce: await isInRedis(ctx, "blocks", recorded.version) };
}

export async function findBlocks(
  ctx: Context,
  { address, userIds }: { address: string | undefined; userIds: string[] },
): Promise<BlockDetails[]> {
  const values = [...(address ? networksOf(address) : []), ...userIds.map(userMember)];
  return values.length > 0 ? readStanding(ctx, inArray(blocks.value, values)) : [];
}

/** The active block of this value, which `setBlock` would replace. */
export async function findBlockOf(ctx: Context, value: string): Promise<BlockDetails | undefined> {
  return (await readStanding(ctx, eq(blocks.value, value)))[0];
}

/** The command that sets the block again, for its remaining time. */
export function blockCommand(block: BlockDetails, now: Date): string {
  const seconds = Math.max(60, Math.ceil((Date.parse(block.expiresAt) - now.getTime()) / 1000));
  return `npm run ops -- block ${targetOf(block)} --ttl ${seconds}s --reason "undo"`;
}

/** What was blocked, by the subject of the audit rows (a block ID, or the user ID): `ip 203.0.113.7`, `user <id>`. */
export async function findBlockTargets(
  { db }: Context,
  subjectIds: string[],
): Promise<Map<string, string>> {
  if (subjectIds.length === 0) return new Map();
  const rows = await db
    .select()
    .from(blocks)
    .where(or(inArray(blocks.id, subjectIds), inArray(blocks.value, subjectIds.map(userMember))));
  return new Map(rows.map((row) => [personIn(row) ?? row.id, targetOf(row)]));
}

/** As the CLI's `block` takes it. */
function targetOf({ kind, value }: Pick<BlockDetails, "kind" | "value">): string {
  // An address is stored as its network.
  const what = kind === "ip" ? value.replace(/\/\d+$/, "") : (personIn({ kind, value }) ?? value);
  return `${kind} ${what}`;
}

async function readStanding({ db, now }: Context, which?: SQL): Promise<BlockDetails[]> {
  const rows = await db
    .select()
    .from(blocks)
    .where(and(isActive(now), which))
    .orderBy(desc(blocks.createdAt));
  return rows.map(({ endedAt: _, createdAt, expiresAt, ...row }) => ({
    ...row,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }));
}

export const isActive = (now: Date) => and(isNull(blocks.endedAt), gt(blocks.expiresAt, now));

/** Health checks and proxies of the same machine call from here, in either family. */
const loopback = ["127.0.0.1", "::1"];

function isProtected(message: string): AppError {
  return new AppError("block_protected", {
    fields: [{ pointer: "/value", code: "protected", message }],
  });
}

/** The value to block. Throws `validation_failed`, `block_protected` (own account, own, trusted or loopback address), `not_found`, `forbidden`. */
export async function requireBlockable(
  ctx: Context,
  operator: Operator,
  { kind, value }: NewBlock,
): Promise<string> {
  if (kind === "user") {
    const subject = await getSubject(ctx, value);
    if (subject.role !== "user") requireAdmin(ctx, operator);
    if (subject.id === operator.id) throw isProtected("This is your own account.");
    return userMember(subject.id);
  }
  const found = blockableNetwork(value);
  if ("problem" in found) throw invalid(found.problem);
  if (kind === "ip" && value.includes("/")) throw invalid("This is a network. Use the kind cidr.");
  const has = (address: string) => overlap(found.network, address);
  const trusted = ctx.env.rateLimit.trustedIps.find(has);
  if (trusted) throw isProtected(`RATE_LIMIT_TRUSTED_IPS has ${trusted}.`);
  if (ctx.address && has(ctx.address)) throw isProtected(`You call from ${ctx.address}.`);
  const own = loopback.find(has);
  if (own) throw isProtected(`${own} is the server itself.`);
  return found.network;
}

/** Within 3 s; replaces an older block. Also revokes a user's sessions and operator tokens. Throws `forbidden` if a role changed. */
export async function setBlock(
  ctx: Context,
  operator: Operator,
  { kind, ttlSeconds }: NewBlock,
  value: string,
  by: OperatorAct,
): Promise<{ id: string; expiresAt: Date; sessionsEnded: number }> {
  const expiresAt = new Date(ctx.now.getTime() + ttlSeconds * 1000);
  const userId = personIn({ kind, value });
  const set = { kind, reason: by.reason, createdBy: by.actor.id, createdAt: ctx.now, expiresAt };
  const insert = ctx.db
    .insert(blocks)
    .values({ id: randomUUID(), value, ...set })
    .onConflictDoUpdate({
      target: blocks.value,
      targetWhere: isNull(blocks.endedAt),
      set,
    })
    .returning({ id: blocks.id });
  // The audit log holds IDs only: an IP address is personal data, so the block's ID stands for it.
  const blockId = sql<string>`(
    select cast(id as text) from ${blocks} where value = ${value} and ended_at is null)`;
  const audit = auditRow(ctx, { ...by, action: "block.set", subjectId: userId ?? blockId });
  if (userId === undefined) {
    const [, [row]] = await ctx.db.batch([raiseVersion(ctx), insert, audit]);
    await copyChangeToRedis(ctx);
    return { id: "", ...row, expiresAt, sessionsEnded: 0 };
  }
  const [, , , , [row], ended] = await ctx.db
    .batch([
      // Otherwise two admins could block each other at the same time.
      lockRoles(ctx),
      lockAccount(userId),
      requireCurrentAuthority(ctx, operator, userId),
      raiseVersion(ctx),
      insert,
      revokeSessions(ctx, { userId }, "account_blocked"),
      ctx.db.execute(revokeOperatorTokensOf(ctx, sql`${userId}`)),
      audit,
    ])
    .catch((error) => {
      throw lacksRequiredRow(error) ? new AppError("forbidden") : error;
    });
  await Promise.all([copyChangeToRedis(ctx), enforceRevocationsOf(ctx, userId)]);
  return { id: "", ...row, expiresAt, sessionsEnded: ended.length };
}

/** An active block. Throws `not_found`, and `forbidden` if only an admin or the break-glass token may lift it (an operator's). */
export async function getLiftableBlock(
  ctx: Context,
  operator: Operator,
  id: string,
): Promise<BlockDetails> {
  const found = (await readStanding(ctx)).find((block) => block.id === id);
  if (!found) throw new AppError("not_found");
  const userId = personIn(found);
  if (userId === undefined || operator.kind === "break_glass") return found;
  const [person] = await ctx.db
    .select({ role: users.role })
    .from(users)
    .where(eq(users.id, userId));
  if (person && person.role !== "user") requireAdmin(ctx, operator);
  return found;
}

/** Safe to repeat; each call writes an audit row. */
export async function liftBlock(
  ctx: Context,
  { id, kind, value }: BlockDetails,
  by: OperatorAct,
): Promise<void> {
  await ctx.db.batch([
    raiseVersion(ctx),
    ctx.db
      .update(blocks)
      .set({ endedAt: ctx.now, expiresAt: ctx.now })
      .where(and(eq(blocks.id, id), isNull(blocks.endedAt))),
    auditRow(ctx, { ...by, action: "block.lifted", subjectId: personIn({ kind, value }) ?? id }),
  ]);
  await copyChangeToRedis(ctx);
}

const personIn = ({ kind, value }: Pick<BlockDetails, "kind" | "value">) =>
  kind === "user" ? value.slice("user:".length) : undefined;

/** Goes first in the batch: its row lock serializes changes, so that a higher version is a newer record. */
function raiseVersion(ctx: Context) {
  return ctx.db
    .update(mirrorVersions)
    .set({ version: sql`${mirrorVersions.version} + 1` })
    .where(sql`name = 'blocks'`);
}

function invalid(message: string): AppError {
  return new AppError("validation_failed", {
    fields: [{ pointer: "/value", code: "not_blockable", message }],
  });
}
