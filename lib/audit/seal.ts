import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { dataKeys } from "../crypto/secret.js";
import { auditLog, auditSeals } from "../db/schema/security.js";
import type { Env } from "../env.js";
import { auditSealed } from "../observability/log-lines/audit.js";

/** A signed hash of a range of audit rows: they cannot be changed undetected without the data key. */
export interface Seal {
  firstId: number;
  lastId: number;
  rows: number;
  /** SHA-256 in hex, of the previous hash and the rows. */
  hash: string;
  previous: string;
  hmac: string;
  keyId: string;
  /** ISO 8601 with microseconds, by the clock of Postgres. */
  at: string;
}

export const genesis = "genesis";
/** Few enough to be hashed in one statement. */
export const rowsPerSealMax = 10_000;
const purpose = "audit-seal";

/**
 * Seal rows older than 5 minutes: no transaction is that old, so no row can still be added between them. Runs until all are
 * sealed or `endMs` (`performance.now()`). Each seal is also logged, out of reach of the owner of the database.
 */
export async function sealAudit(ctx: Context, endMs: number) {
  const counts = { seals: 0, rows: 0 };
  let sealed: Seal | undefined;
  do {
    sealed = await sealNext(ctx);
    if (!sealed) break;
    counts.seals += 1;
    counts.rows += sealed.rows;
  } while (sealed.rows === rowsPerSealMax && performance.now() < endMs);
  return counts;
}

async function sealNext(ctx: Context): Promise<Seal | undefined> {
  const { rows: found } = await ctx.db.execute<Unsealed>(sql`
    with before as (
      select last_id, hash from ${auditSeals} order by last_id desc limit 1
    ), young as (
      select min(id) as id from ${auditLog} where at >= now() - interval '5 minutes'
    ), segment as (
      select * from ${auditLog}
      where id > coalesce((select last_id from before), 0)
        and id < coalesce((select id from young), 9223372036854775807)
      order by id limit ${rowsPerSealMax}
    )
    select
      cast(coalesce((select last_id from before), 0) as text) as before_id,
      coalesce((select hash from before), ${genesis}) as previous,
      cast(max(id) as text) as last_id,
      cast(count(*) as integer) as rows,
      ${digest(sql`segment`)} as digest,
      ${utc(sql`now()`)} as at
    from segment`);
  const unsealed = found[0];
  if (!unsealed?.last_id || !unsealed.digest) return undefined;
  const { previous, rows, at } = unsealed;
  const [firstId, lastId] = [Number(unsealed.before_id) + 1, Number(unsealed.last_id)];
  const hash = chained(previous, unsealed.digest);
  const signed = sign(ctx.env, sealText({ firstId, lastId, rows, hash, previous, at }));
  const { rowCount } = await ctx.db.execute(sql`
    insert into ${auditSeals} (first_id, last_id, rows, hash, previous, hmac, key_id, at)
    values (${firstId}, ${lastId}, ${rows}, ${hash}, ${previous}, ${signed.hmac}, ${signed.keyId},
      cast(${at} as timestamptz))
    on conflict do nothing`);
  if (rowCount === 0) return undefined;
  auditSealed(ctx.correlationId, { lastId, count: rows, hash });
  return { firstId, lastId, rows, hash, previous, ...signed, at };
}

type Unsealed = {
  before_id: string;
  previous: string;
  last_id: string | null;
  rows: number;
  digest: string | null;
  at: string;
};

/** SQL: SHA-256 of rows as JSON arrays, so that the encoding is unambiguous. */
export function digest(from: SQL): SQL {
  const row = sql`cast(jsonb_build_array(${from}.id, extract(epoch from ${from}.at), ${from}.actor_kind,
    ${from}.actor_id, ${from}.action, ${from}.subject_id, ${from}.reason, ${from}.correlation_id,
    ${from}.ip_prefix) as text)`;
  return sql`encode(sha256(convert_to(string_agg(${row}, chr(10) order by ${from}.id), 'UTF8')), 'hex')`;
}

/** SQL: ISO 8601 with microseconds. */
export const utc = (timestamp: SQL): SQL =>
  sql`to_char(${timestamp} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export const chained = (previous: string, rowsDigest: string): string =>
  createHash("sha256").update(`${previous}\n${rowsDigest}`).digest("hex");

export function sealText(seal: Omit<Seal, "hmac" | "keyId">): string {
  const { firstId, lastId, rows, hash, previous, at } = seal;
  return JSON.stringify(["audit-seal-v1", firstId, lastId, rows, hash, previous, at]);
}

export function sign(env: Env, text: string): { hmac: string; keyId: string } {
  const [current] = dataKeys(env, purpose);
  if (!current) throw new Error("No data key is set.");
  return { hmac: hmacOf(current.key, text).toString("base64url"), keyId: current.id };
}

/** `unknown_key`: the data key was removed. */
export function checkSigned(
  env: Env,
  text: string,
  { hmac, keyId }: { hmac: string; keyId: string },
): "fits" | "differs" | "unknown_key" {
  const known = dataKeys(env, purpose).find(({ id }) => id === keyId);
  if (!known) return "unknown_key";
  const [expected, given] = [hmacOf(known.key, text), Buffer.from(hmac, "base64url")];
  return expected.length === given.length && timingSafeEqual(expected, given) ? "fits" : "differs";
}

const hmacOf = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
