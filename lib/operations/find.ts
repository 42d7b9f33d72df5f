import { desc, eq, or, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { BlockDetails, findBlocks, isActive } from "../admission/block.js";
import { userMember } from "../admission/block-members.js";
import { maskedEmail } from "../auth/operator/subject.js";
import { confirmedSecret } from "../auth/second-factor/second-factor.js";
import { isLiveSession } from "../auth/session/session-status.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { blocks } from "../db/schema/gate.js";
import { auditLog, securityEvents } from "../db/schema/security.js";
import { AppError } from "../errors.js";
import { canonicalAddress } from "../ip-address.js";
import { canonicalEmail } from "../user/email-address.js";
import { AccessLogRow, findRequests } from "./telemetry/access-log.js";

const AccountFound = z.strictObject({
  id: z.uuid(),
  /** Masked. */
  email: z.string().nullable(),
  emailConfirmed: z.boolean(),
  role: z.enum(["user", "operator", "admin"]),
  state: z.enum(["active", "guest", "merged", "suspended", "blocked", "deletion_pending"]),
  secondFactor: z.boolean(),
  createdAt: z.iso.datetime(),
  liveSessions: z.int(),
});

const EventFound = z.strictObject({
  at: z.iso.datetime(),
  event: z.string(),
  count: z.int(),
  userId: z.string().nullable(),
  ip: z.string().nullable(),
  route: z.string().nullable(),
  correlationId: z.string(),
  data: z.unknown(),
});

const AuditFound = z.strictObject({
  at: z.iso.datetime(),
  action: z.string(),
  actor: z.string(),
  subjectId: z.string().nullable(),
  reason: z.string().nullable(),
  correlationId: z.string(),
});

/** At most 20 accounts, all active blocks, and the newest 50 events, audit rows and requests. */
export const FindResult = z.strictObject({
  /** How the query was interpreted; a UUID can be a correlation ID and a user ID. */
  lookedUpAs: z.array(z.enum(["correlationId", "userId", "sessionId", "email", "ip"])),
  accounts: z.array(AccountFound),
  /** Active blocks; for an IP address also the blocks of networks that contain it. */
  blocks: z.array(BlockDetails),
  securityEvents: z.array(EventFound),
  audit: z.array(AuditFound),
  /** Of the last 7 days. */
  requests: z.array(AccessLogRow),
});
export type FindResult = z.infer<typeof FindResult>;
type Kind = FindResult["lookedUpAs"][number];

const accountsMax = 20;
const rowsMax = 50;

/** Look up a correlation, user or session ID, an e-mail address (its owner, then its claimants) or an IP address. Throws `validation_failed` for other forms. */
export async function find(ctx: Context, text: string): Promise<FindResult> {
  const kinds = kindsOf(text);
  const is = (kind: Kind) => kinds.includes(kind);
  const accounts = await findAccounts(ctx, text, is);
  const ids = accounts.map(({ id }) => id);
  const userIds = is("userId") && ids.length === 0 ? [text] : ids;
  const address = is("ip") ? canonicalAddress(text) : undefined;
  const correlation = is("correlationId") ? text : undefined;
  const [blocksFound, events, audits, requests] = await Promise.all([
    findBlocks(ctx, { address, userIds }),
    findEvents(ctx, userIds, address, correlation),
    findAuditRows(ctx, is("userId") || is("email") || is("sessionId") ? userIds : [], correlation),
    findRequests(ctx, { users: userIds, ip: address, correlationId: correlation }, rowsMax),
  ]);
  return {
    lookedUpAs: kinds,
    accounts,
    blocks: blocksFound,
    securityEvents: events,
    audit: audits,
    requests,
  };
}

function kindsOf(text: string): Kind[] {
  const kinds: Kind[] = [];
  if (canonicalAddress(text) !== undefined) return ["ip"];
  if (text.includes("@")) {
    if (canonicalEmail(text) === null) throw unknownFormError();
    return ["email"];
  }
  if (z.uuid().safeParse(text).success) kinds.push("userId");
  if (/^[\w-]{22}$/.test(text)) kinds.push("sessionId");
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) kinds.push("correlationId");
  if (kinds.length === 0) throw unknownFormError();
  return kinds;
}

function unknownFormError(): AppError {
  const message =
    "Must be a correlation ID, a user ID, a session ID, an e-mail address or an IP address.";
  return new AppError("validation_failed", {
    fields: [{ pointer: "/q", code: "unknown_form", message }],
  });
}

async function findAccounts(
  ctx: Context,
  text: string,
  is: (kind: Kind) => boolean,
): Promise<FindResult["accounts"]> {
  const { db, now } = ctx;
  const email = is("email") ? canonicalEmail(text) : null;
  const conditions: SQL[] = [
    ...(is("userId") ? [eq(users.id, text)] : []),
    ...(email ? [eq(users.email, email), eq(users.claimedEmail, email)] : []),
    ...(is("sessionId")
      ? [sql`${users.id} = (select user_id from ${sessions} where ${sessions.id} = ${text})`]
      : []),
  ];
  if (conditions.length === 0) return [];
  const rows = await db
    .select({
      account: users,
      sealedSecret: confirmedSecret,
      isBlocked: sql<boolean>`exists(
        select from ${blocks} where value = ${userMember("")} || ${users}.id and ${isActive(now)})`,
      liveSessions: sql<number>`(
        select count(*)::int from ${sessions}
        where user_id = ${users}.id and ${isLiveSession(ctx)})`,
    })
    .from(users)
    .where(or(...conditions))
    .orderBy(sql`${users.email} is null`, desc(users.createdAt))
    .limit(accountsMax);
  return rows.map(({ account, sealedSecret, isBlocked, liveSessions }) => ({
    id: account.id,
    email: maskedEmail(account.email ?? account.claimedEmail),
    emailConfirmed: account.email !== null,
    role: account.role,
    state: stateOf(account, isBlocked),
    secondFactor: sealedSecret !== null,
    createdAt: account.createdAt.toISOString(),
    liveSessions,
  }));
}

function stateOf(
  account: typeof users.$inferSelect,
  isBlocked: boolean,
): FindResult["accounts"][number]["state"] {
  if (account.mergedInto) return "merged";
  if (account.purgeAt) return "deletion_pending";
  if (account.suspendedAt) return "suspended";
  if (isBlocked) return "blocked";
  return account.isGuest ? "guest" : "active";
}

async function findEvents(
  { db }: Context,
  userIds: string[],
  address: string | undefined,
  correlationId: string | undefined,
): Promise<FindResult["securityEvents"]> {
  const conditions = [
    ...userIds.map((id) => eq(securityEvents.userId, id)),
    ...(address ? [eq(securityEvents.ip, address)] : []),
    ...(correlationId ? [eq(securityEvents.correlationId, correlationId)] : []),
  ];
  if (conditions.length === 0) return [];
  const rows = await db
    .select()
    .from(securityEvents)
    .where(or(...conditions))
    .orderBy(desc(securityEvents.at))
    .limit(rowsMax);
  return rows.map(({ id: _, at, ...event }) => ({ at: at.toISOString(), ...event }));
}

async function findAuditRows(
  { db }: Context,
  userIds: string[],
  correlationId: string | undefined,
): Promise<FindResult["audit"]> {
  const conditions = [
    ...userIds.flatMap((id) => [eq(auditLog.subjectId, id), eq(auditLog.actorId, id)]),
    ...(correlationId ? [eq(auditLog.correlationId, correlationId)] : []),
  ];
  if (conditions.length === 0) return [];
  const rows = await db
    .select()
    .from(auditLog)
    .where(or(...conditions))
    .orderBy(desc(auditLog.id))
    .limit(rowsMax);
  return rows.map(({ at, action, actorKind, actorId, subjectId, reason, correlationId }) => ({
    at: at.toISOString(),
    action,
    actor: actorId === null ? actorKind : `${actorKind} ${actorId}`,
    subjectId,
    reason,
    correlationId,
  }));
}
