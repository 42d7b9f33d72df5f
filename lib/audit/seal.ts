import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { dataKeys } from "../crypto/secret.js";
import { auditLog, auditSeals } from "../db/schema/security.js";
import type { Env } from "../env.js";
import { auditSealed } from "../observability/log-lines/audit.js";

/** Rows of the log that were made fast: nobody without the data key can change them unseen. */
export interface Seal {
  firstId: number;
  lastId: number;
  rows: number;
  /** SHA-256 of the seal before and of the rows, in hex. */
  hash: string;
  previous: string;
  hmac: string;
  keyId: string;
  /** ISO 8601 with microseconds, by the clock of the database. */
  at: string;
}

/** What stands for the seal before the first one. */
export const genesis = "genesis";
/** So few that a statement hashes them well within its deadline. */
export const rowsPerSealMax = 10_000;
const purpose = "audit-seal";

/**
 * Seal the rows that are older than five minutes by the clock of the database, until `endMs` (by
 * `performance.now()`). No transaction lives so long, so none can still add a row among them. Of rivals
 * one seals. Each seal is also a SECURITY line, which stands where the database's owner cannot reach.
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
  // A rival was first.
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

/**
 * SHA-256 of rows of the log, as an expression over `from`: each row is a JSON array, in which nothing can
 * pass for something else.
 */
export function digest(from: SQL): SQL {
  const row = sql`cast(jsonb_build_array(${from}.id, extract(epoch from ${from}.at), ${from}.actor_kind,
    ${from}.actor_id, ${from}.action, ${from}.subject_id, ${from}.reason, ${from}.correlation_id,
    ${from}.ip_prefix) as text)`;
  return sql`encode(sha256(convert_to(string_agg(${row}, chr(10) order by ${from}.id), 'UTF8')), 'hex')`;
}

/** A moment as text that loses nothing of it. */
export const utc = (moment: SQL): SQL =>
  sql`to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** The hash of a seal, from that of the seal before and of the rows. */
export const chained = (previous: string, rowsDigest: string): string =>
  createHash("sha256").update(`${previous}\n${rowsDigest}`).digest("hex");

/** What the HMAC of a seal is made over. */
export function sealText(seal: Omit<Seal, "hmac" | "keyId">): string {
  const { firstId, lastId, rows, hash, previous, at } = seal;
  return JSON.stringify(["audit-seal-v1", firstId, lastId, rows, hash, previous, at]);
}

export function sign(env: Env, text: string): { hmac: string; keyId: string } {
  const [current] = dataKeys(env, purpose);
  if (!current) throw new Error("There is no data key.");
  return { hmac: hmacOf(current.key, text).toString("base64url"), keyId: current.id };
}

/** Whether an HMAC fits; `unknown_key` where the key it names is not among the data keys. */
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
