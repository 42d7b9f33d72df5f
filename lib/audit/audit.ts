import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { auditLog } from "../db/schema/security.js";
import { addressPrefix } from "../ip-address.js";
import type { AuditAction } from "./audit-actions.js";

export interface AuditEntry {
  /** `operator`: acts on others; acting on their own data they are a `user`. */
  actor: { kind: "user" | "operator"; id: string } | { kind: "system" };
  action: AuditAction;
  /** The account that the change is about, else the changed thing; never an e-mail or IP address. SQL for an ID made in the batch. */
  subjectId: string | SQL<string>;
  reason?: string;
}

export interface OperatorAct {
  actor: { kind: "operator"; id: string };
  reason: string;
}

/** The statement for the batch of the change. IDs only: never an address, a name or a token. It adds the caller's IP prefix. */
export function auditRow(ctx: Context, entry: AuditEntry) {
  return ctx.db.insert(auditLog).values(rowOf(ctx, entry));
}

/** The same as part of a statement: inserted once if the CTE or table `from` has a row. */
export function auditIfAny(ctx: Context, entry: AuditEntry, from: SQL): SQL {
  const { actorKind, actorId, action, subjectId, reason, correlationId, ipPrefix } = rowOf(
    ctx,
    entry,
  );
  const values = [actorKind, actorId, action, subjectId, reason, correlationId, ipPrefix];
  const texts = values.map((value) => sql`cast(${value} as text)`);
  return sql`
    insert into ${auditLog}
      (actor_kind, actor_id, action, subject_id, reason, correlation_id, ip_prefix)
    select ${sql.join(texts, sql`, `)} where exists (select 1 from ${from})`;
}

function rowOf(ctx: Context, { actor, action, subjectId, reason }: AuditEntry) {
  return {
    actorKind: actor.kind,
    actorId: actor.kind === "system" ? null : actor.id,
    action,
    subjectId,
    reason: reason ?? null,
    correlationId: ctx.correlationId,
    ipPrefix: addressPrefix(ctx.address),
  };
}
