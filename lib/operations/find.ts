import { and, desc, eq, gt, or, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { BlockDetails, findBlocks, isActive } from "../admission/block.js";
import { userMember } from "../admission/block-members.js";
import { callerOfRequest } from "../auth/operator/caller-of-request.js";
import { IdentifierKind, identify } from "../auth/operator/identifier.js";
import { maskedEmail } from "../auth/operator/subject.js";
import { confirmedSecret } from "../auth/second-factor/second-factor.js";
import { isLiveSession } from "../auth/session/session-status.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { blocks } from "../db/schema/gate.js";
import { emailChanges } from "../db/schema/mail.js";
import { auditLog, securityEvents } from "../db/schema/security.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { addressPrefix, canonicalAddress } from "../ip-address.js";
import { listMailBudgetUse, MailBudgetUse } from "../mail/budget-use.js";
import { lastMailDelivery, listQueuedMails, QueuedMail } from "../mail/queued-mails.js";
import { findSuppression, MailSuppression } from "../mail/suppression.js";
import { accountEventKeys } from "../rate-limit/account-limit-key.js";
import { canonicalEmail } from "../user/email-address.js";
import { AccessLogRow, findDays, findRequests } from "./telemetry/access-log.js";
import { drainBeforeReading, EventsUntil } from "./telemetry/drain-before-reading.js";

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
  /** The last one that its former owner can still undo. Missing in the replies of an older release, like `entered`. */
  addressChange: z
    .strictObject({
      at: z.iso.datetime(),
      undoUntil: z.iso.datetime(),
      /** Found by the address that it no longer has. */
      isLookedUp: z.boolean(),
    })
    .nullable()
    .optional(),
});

/** An account, not of a guest, with sessions that began in the network of an address in the last 7 days. */
const EnteredAccount = z.strictObject({
  id: z.uuid(),
  /** Masked. */
  email: z.string().nullable(),
  signIns: z.int(),
  lastSignInAt: z.iso.datetime(),
  /** Of those. */
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
  /** Of a failed sign-in: the account with the typed e-mail address. */
  accountId: z.string().nullable(),
  /** `account` is a keyed hash of the typed e-mail address: look it up to find its other failed sign-ins. */
  data: z.record(z.string(), z.unknown()),
});

const AuditFound = z.strictObject({
  at: z.iso.datetime(),
  action: z.string(),
  actor: z.string(),
  subjectId: z.string().nullable(),
  reason: z.string().nullable(),
  correlationId: z.string(),
});

/** At most 20 accounts, 200 entered ones, all active blocks, and the newest `limit` events, audit rows and requests. */
export const FindResult = z.strictObject({
  /** How the query was interpreted; a UUID can be a correlation ID and a user ID. */
  lookedUpAs: z.array(IdentifierKind),
  /** Requests that ended before this time are found, and the events of some later ones. */
  ...EventsUntil.shape,
  accounts: z.array(AccountFound),
  /** Of an IP address, the last entered first. */
  entered: z.array(EnteredAccount).optional(),
  /** Active blocks; for an IP address also the blocks of networks that contain it. */
  blocks: z.array(BlockDetails),
  /** Of the e-mail address, or of the only account found. */
  mailSuppression: MailSuppression.nullable(),
  /** The same, those in use; for an IP address the limit of password resets that it requests. */
  mailBudgets: z.array(MailBudgetUse),
  /** Of the accounts and the e-mail address; at most 20. Missing in the replies of an older release, like the next. */
  queuedMails: z.array(QueuedMail).optional(),
  /** To the e-mail address, or to that of the only account found. */
  lastMailDeliveredAt: z.iso.datetime().nullable().optional(),
  securityEvents: z.array(EventFound),
  audit: z.array(AuditFound),
  /** Of the last 7 days. */
  requests: z.array(AccessLogRow),
  /** The lists that have more rows than `limit`. */
  cut: z.array(z.enum(["securityEvents", "audit", "requests"])),
});
export type FindResult = z.infer<typeof FindResult>;
type EnteredAccount = z.infer<typeof EnteredAccount>;

const accountsMax = 20;
const enteredMax = 200;
export const findRows = { byDefault: 50, max: 500 } as const;

/**
 * Look up a correlation, user or session ID, an e-mail address (its owner, then its claimants, and who had it) or an IP address. Drains events
 * first, for about 3 s; without Redis finds what was drained before. Throws `validation_failed` for other forms.
 */
export async function find(ctx: Context, text: string, limit: number): Promise<FindResult> {
  const kinds = identify(text);
  if (kinds.length === 0) throw unknownFormError();
  const until = await drainBeforeReading(ctx);
  const is = (kind: IdentifierKind) => kinds.includes(kind);
  const email = is("email") ? canonicalEmail(text) : null;
  const owners = await findAccounts(ctx, [
    ...(is("userId") ? [eq(users.id, text)] : []),
    ...(email ? [eq(users.email, email), eq(users.claimedEmail, email), hadAddress(email)] : []),
    ...(is("sessionId") ? [isOwnerOfSession(text)] : []),
  ]);
  // An account's ID outlives it in the records.
  const isErased = is("userId") && owners.length === 0;
  const userIds = isErased ? [text] : owners.map(({ id }) => id);
  const isRequest = is("correlationId") && owners.length === 0;
  const caller = isRequest ? await callerOfRequest(ctx, text) : null;
  const accounts = caller ? await findAccounts(ctx, [eq(users.id, caller)]) : owners;
  const address = is("ip") ? canonicalAddress(text) : undefined;
  const correlationId = is("correlationId") ? text : undefined;
  const isAccount = is("userId") || is("email") || is("sessionId");
  const most = limit + 1;
  const emails = email === null ? owners.flatMap(addressOf) : [email];
  const mailedTo = emails.length === 1 ? (emails[0] ?? null) : null;
  // The event of a failed sign-in has no user ID, only the hash of the typed address.
  const accountKeys = [
    ...emails.flatMap((one) => accountEventKeys(ctx.env, one)),
    ...(is("sessionId") ? [text] : []),
  ];
  const [blocksFound, events, audits, requests, entered, ...ofMail] = await Promise.all([
    findBlocks(ctx, { address, userIds: caller ? [caller] : userIds }),
    findEvents(ctx, { userIds, accountKeys, address, correlationId }, most),
    findAuditRows(ctx, { userIds: isAccount ? userIds : [], correlationId }, most),
    findRequests(ctx, { users: userIds, ip: address, correlationId }, most),
    address === undefined ? [] : listEntered(ctx, address),
    mailedTo === null ? null : findSuppression(ctx, mailedTo),
    listMailBudgetUse(ctx, { email: mailedTo, ip: address }),
    listQueuedMails(ctx, { userIds, emails }),
    mailedTo === null ? null : lastMailDelivery(ctx, mailedTo),
  ]);
  const [mailSuppression, mailBudgets, queuedMails, delivered] = ofMail;
  const lists = { securityEvents: events, audit: audits, requests };
  return {
    lookedUpAs: kinds,
    ...until,
    accounts: accounts.map((account) => presentAccount(account, email)),
    entered,
    blocks: blocksFound,
    mailSuppression,
    mailBudgets,
    queuedMails,
    lastMailDeliveredAt: delivered?.toISOString() ?? null,
    securityEvents: events.slice(0, limit),
    audit: audits.slice(0, limit),
    requests: requests.slice(0, limit),
    cut: (["securityEvents", "audit", "requests"] as const).filter(
      (name) => lists[name].length > limit,
    ),
  };
}

function unknownFormError(): AppError {
  const message =
    "Must be a correlation ID, a user ID, a session ID, an e-mail address or an IP address.";
  return new AppError("validation_failed", {
    fields: [{ pointer: "/q", code: "unknown_form", message }],
  });
}

const isOwnerOfSession = (id: string): SQL =>
  sql`${users.id} = (select user_id from ${sessions} where ${sessions.id} = ${id})`;

/** An array, because the index on the ID is not used for a subquery in an `or`. */
const hadAddress = (email: string): SQL =>
  sql`${users.id} = any(array(
    select user_id from ${emailChanges} where old_email = ${email} and undone_at is null))`;

type AccountRow = Awaited<ReturnType<typeof readAccounts>>[number];

async function findAccounts(ctx: Context, conditions: SQL[]): Promise<AccountRow[]> {
  return conditions.length === 0 ? [] : readAccounts(ctx, or(...conditions));
}

function readAccounts(ctx: Context, which: SQL | undefined) {
  const { db, now } = ctx;
  return db
    .select({
      id: users.id,
      account: users,
      sealedSecret: confirmedSecret,
      isBlocked: sql<boolean>`exists(
        select from ${blocks} where value = ${userMember("")} || ${users}.id and ${isActive(now)})`,
      liveSessions: sql<number>`(
        select count(*)::int from ${sessions}
        where user_id = ${users}.id and ${isLiveSession(ctx)})`,
      addressChange: sql<{ at: string; undoUntil: string } | null>`(
        select json_build_object('at', created_at, 'undoUntil', expires_at)
        from ${emailChanges}
        where user_id = ${users}.id and undone_at is null and expires_at > ${timestamp(now)}
        order by created_at desc limit 1)`,
    })
    .from(users)
    .where(which)
    .orderBy(sql`${users.email} is null`, desc(users.createdAt))
    .limit(accountsMax);
}

function addressOf({ account: { email, claimedEmail } }: AccountRow): string[] {
  const address = email ?? claimedEmail;
  return address === null ? [] : [address];
}

/** Those whose password was guessed, too: a list of failures may be too long to show them. */
async function listEntered(ctx: Context, address: string): Promise<EnteredAccount[]> {
  const { db, now } = ctx;
  const from = new Date(now.getTime() - findDays * 86_400_000);
  const lastAt = sql<string>`max(${sessions.createdAt})`;
  const rows = await db
    .select({
      id: users.id,
      email: sql<string | null>`coalesce(${users.email}, ${users.claimedEmail})`,
      signIns: sql<number>`count(*)::int`,
      lastAt,
      liveSessions: sql<number>`(count(*) filter (where ${isLiveSession(ctx)}))::int`,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.ipPrefix, addressPrefix(address) ?? address),
        gt(sessions.createdAt, from),
        eq(users.isGuest, false),
      ),
    )
    .groupBy(users.id)
    .orderBy(desc(lastAt))
    .limit(enteredMax);
  return rows.map(({ lastAt, email, ...row }) => ({
    ...row,
    email: maskedEmail(email),
    lastSignInAt: new Date(lastAt).toISOString(),
  }));
}

function presentAccount(row: AccountRow, lookedUp: string | null): FindResult["accounts"][number] {
  const { account, sealedSecret, isBlocked, liveSessions, addressChange } = row;
  return {
    id: account.id,
    email: maskedEmail(account.email ?? account.claimedEmail),
    emailConfirmed: account.email !== null,
    role: account.role,
    state: stateOf(account, isBlocked),
    secondFactor: sealedSecret !== null,
    createdAt: account.createdAt.toISOString(),
    liveSessions,
    addressChange: addressChange && {
      at: new Date(addressChange.at).toISOString(),
      undoUntil: new Date(addressChange.undoUntil).toISOString(),
      isLookedUp:
        lookedUp !== null && account.email !== lookedUp && account.claimedEmail !== lookedUp,
    },
  };
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

interface Recorded {
  userIds: string[];
  correlationId: string | undefined;
}

async function findEvents(
  { db }: Context,
  {
    userIds,
    accountKeys,
    address,
    correlationId,
  }: Recorded & { accountKeys: string[]; address: string | undefined },
  most: number,
): Promise<FindResult["securityEvents"]> {
  const conditions = [
    ...userIds.map((id) => eq(securityEvents.userId, id)),
    ...accountKeys.map((key) => sql`${securityEvents.data} ->> 'account' = ${key}`),
    ...(address ? [eq(securityEvents.ip, address)] : []),
    ...(correlationId ? [eq(securityEvents.correlationId, correlationId)] : []),
  ];
  if (conditions.length === 0) return [];
  const rows = await db
    .select()
    .from(securityEvents)
    .where(or(...conditions))
    .orderBy(desc(securityEvents.at))
    .limit(most);
  return rows.map(({ id: _, at, data, ...event }) => {
    const { accountId = null, ...rest } = data;
    return { at: at.toISOString(), ...event, accountId, data: rest };
  });
}

async function findAuditRows(
  { db }: Context,
  { userIds, correlationId }: Recorded,
  most: number,
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
    .limit(most);
  return rows.map(({ at, action, actorKind, actorId, subjectId, reason, correlationId }) => ({
    at: at.toISOString(),
    action,
    actor: actorId === null ? actorKind : `${actorKind} ${actorId}`,
    subjectId,
    reason,
    correlationId,
  }));
}
