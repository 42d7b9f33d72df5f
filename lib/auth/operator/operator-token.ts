import { randomBytes } from "node:crypto";
import { and, desc, eq, isNull, or, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, auditRow } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { hashesWithKeyId } from "../../crypto/secret.js";
import { lacksRequiredRow, violatesUnique } from "../../db/failures.js";
import { operatorTokens } from "../../db/schema/operators.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { type Operator, requireAdmin } from "./operator.js";
import { lockRoles, requireCurrentAuthority } from "./role.js";
import { isKnownScope, operatorScopes } from "./scopes.js";
import { operatorTokenPurpose, stateOf } from "./verify-operator-token.js";

/** `NOUN:VERB`, such as `flag:change`, `block:*` or `*:read`. The nouns are those of the CLI. */
const Scope = z
  .string()
  .regex(
    /^(\*|[a-z][a-z0-9-]{0,39}):(\*|read|change)$/,
    "Must be NOUN:VERB, such as flag:change, block:* or *:read.",
  )
  .refine(isKnownScope, { error: `Must name one of ${operatorScopes.join(", ")}.` })
  .meta({ examples: ["flag:change"] });

const dayMs = 86_400_000;

export const NewOperatorToken = {
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,62}$/,
      "Must be 1 to 63 of a-z 0-9 . _ -, starting with a letter or digit.",
    )
    .meta({ examples: ["deploy-robot"] }),
  scopes: z.array(Scope).min(1).max(20),
  ttlSeconds: z
    .int()
    .min(60)
    .max((365 * dayMs) / 1000)
    .meta({ examples: [86_400] }),
};

export const OperatorToken = z.strictObject({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  state: z.enum(["live", "expired", "revoked"]),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
});
export type OperatorToken = z.infer<typeof OperatorToken>;

const resultsMax = 200;

/** Returns the token once; only a keyed hash is stored. Audited. Throws `forbidden`, `operator_token_exists`. */
export async function createOperatorToken(
  ctx: Context,
  operator: Operator,
  input: { name: string; scopes: string[]; ttlSeconds: number; reason: string },
): Promise<{ id: string; token: string; expiresAt: Date }> {
  requireAdmin(ctx, operator);
  const { name, scopes, ttlSeconds, reason } = input;
  const id = randomBytes(8).toString("hex");
  const secret = randomBytes(32).toString("base64url");
  const [secretHash = ""] = hashesWithKeyId(ctx.env, operatorTokenPurpose, `${id}.${secret}`);
  const expiresAt = new Date(ctx.now.getTime() + ttlSeconds * 1000);
  const row = {
    id,
    name,
    secretHash,
    scopes,
    createdBy: operator.id,
    createdAt: ctx.now,
    expiresAt,
  };
  try {
    await ctx.db.batch([
      lockRoles(ctx),
      // The role may have been revoked since the request began.
      requireCurrentAuthority(ctx, operator),
      ctx.db.insert(operatorTokens).values(row),
      auditRow(ctx, {
        actor: { kind: "operator", id: operator.id },
        action: "operator_token.created",
        subjectId: id,
        reason,
      }),
    ]);
  } catch (error) {
    if (lacksRequiredRow(error)) throw new AppError("forbidden");
    if (!violatesUnique(error, "operator_tokens_name_key")) throw error;
    throw new AppError("operator_token_exists");
  }
  return { id, token: `ops_${id}_${secret}`, expiresAt };
}

/** The newest 200, also expired and revoked ones. */
export async function listOperatorTokens(ctx: Context): Promise<OperatorToken[]> {
  const rows = await ctx.db
    .select()
    .from(operatorTokens)
    .orderBy(desc(operatorTokens.createdAt))
    .limit(resultsMax);
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    state: stateOf(row, ctx.now),
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  }));
}

/** A token that is not revoked; an ID takes precedence over an equal name. Throws `not_found`. */
export async function getOperatorToken(
  ctx: Context,
  idOrName: string,
): Promise<{ id: string; name: string }> {
  const [token] = await ctx.db
    .select({ id: operatorTokens.id, name: operatorTokens.name })
    .from(operatorTokens)
    .where(
      and(
        isNull(operatorTokens.revokedAt),
        or(eq(operatorTokens.id, idOrName), eq(operatorTokens.name, idOrName)),
      ),
    )
    .orderBy(desc(eq(operatorTokens.id, idOrName)))
    .limit(1);
  if (!token) throw new AppError("not_found");
  return token;
}

/** Audited. Does nothing for an unknown or revoked token. Throws `forbidden`. */
export async function revokeOperatorToken(
  ctx: Context,
  operator: Operator,
  { id, reason }: { id: string; reason: string },
): Promise<void> {
  requireAdmin(ctx, operator);
  const entry = {
    actor: { kind: "operator", id: operator.id },
    action: "operator_token.revoked",
    subjectId: id,
    reason,
  } as const;
  await ctx.db.execute(sql`
    with revoked as (
      update ${operatorTokens} set revoked_at = ${timestamp(ctx.now)}
      where id = ${id} and revoked_at is null returning id
    ), audited as (${auditIfAny(ctx, entry, sql`revoked`)})
    select id from revoked`);
}
