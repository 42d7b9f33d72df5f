import type * as z from "zod";
import { AuditRow } from "../../operations/audit-log.js";
import { AuditVerificationReport } from "../../operations/audit-verification.js";
import { pageSchema } from "../../page.js";
import { type Command, textOf } from "../command.js";
import { table } from "../text.js";

const filters = ["actor", "action", "subject", "since", "limit", "cursor"] as const;
const texts = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));

const list: Command = {
  name: "audit",
  args: [],
  summary: "audit log, newest first; filter with the options",
  options: texts(filters),
  async run({ api, options }) {
    const query = Object.fromEntries(filters.map((name) => [name, textOf(options[name])]));
    const answer = await api.get("/api/ops/audit", query);
    const { items, nextCursor } = pageSchema(AuditRow).parse(answer);
    const more = nextCursor ? `\nMore: --cursor ${nextCursor}` : "";
    return { body: answer, text: auditTable(items) + more };
  },
};

function auditTable(items: z.infer<typeof AuditRow>[]): string {
  const rows = items.map(
    ({ id, at, actorKind, actorId, action, subjectId, reason, correlationId, ipPrefix }) => ({
      id,
      at,
      action,
      by: actorKind,
      reason,
      actor: actorId,
      subject: subjectId,
      correlation: correlationId,
      ip: ipPrefix,
    }),
  );
  return table(rows, undefined, ["actor", "subject", "correlation", "ip"]);
}

const verify: Command = {
  name: "audit verify",
  args: [],
  summary: "verify the audit log against its seals",
  options: texts(["from", "last-id", "hash"]),
  notes:
    "Pass --last-id and --hash from an `audit_sealed` log line to also detect a truncated audit log.\nAfter a time limit, --from continues where the last run stopped.",
  async run({ api, options }) {
    const found = AuditVerificationReport.parse(
      await api.get("/api/ops/audit/verification", {
        from: textOf(options.from),
        lastId: textOf(options["last-id"]),
        hash: textOf(options.hash),
      }),
    );
    const { findings, isIntact, seals, rows, isComplete, verifiedTo, protectedBy } = found;
    const verdict = !isIntact ? "BROKEN" : isComplete ? "intact" : "intact so far";
    const rest = isComplete ? "" : ` Time limit reached: continue with --from ${verifiedTo}.`;
    const text = `${verdict}: ${rows} rows with ${seals} seals, protected by ${protectedBy}.${rest}`;
    const broken = findings.length > 0 ? `\n${table(findings)}` : "";
    return { body: found, text: text + broken, isProblem: !isIntact };
  },
};

export const audit = [list, verify];
