import type * as z from "zod";
import { auditActions } from "../../audit/audit-actions.js";
import { AuditRow } from "../../operations/audit-log.js";
import { AuditVerificationReport } from "../../operations/audit-verification.js";
import { pageSchema } from "../../page.js";
import { matching, numberFrom, since, text } from "../checks.js";
import { type Command, textOf } from "../command.js";
import { commandText } from "../command-text.js";
import { sinceOf } from "../duration.js";
import { UsageError } from "../failures.js";
import { nextPageText, pageChecks, pageOf, pageOptions } from "../next-page.js";
import { table, wrapped } from "../text.js";

const filters = ["actor", "action", "subject", "since"] as const;
const texts = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));

const known: readonly string[] = auditActions;
const actionsText = `Actions:\n${wrapped(known.join(", "), 2)}`;

const list: Command = {
  name: "audit",
  args: [],
  summary: "audit log, newest first; filter with the options",
  options: { ...texts(filters), ...pageOptions },
  checks: {
    actor: text(64),
    action: text(64),
    subject: text(128),
    since,
    ...pageChecks,
  },
  notes: actionsText,
  async run({ api, options }) {
    const given: Record<string, string | undefined> = {
      ...Object.fromEntries(filters.map((name) => [name, textOf(options[name])])),
      since: sinceOf(options),
    };
    const query = { ...given, ...pageOf({ options }) };
    const found = await api.get(pageSchema(AuditRow), "/api/ops/audit", query);
    const { items, nextCursor } = found;
    const more = nextPageText({ options }, "audit", query, nextCursor);
    const { action } = given;
    const isUnknown = items.length === 0 && !nextCursor && action && !known.includes(action);
    const text = isUnknown
      ? `No row has the action ${action}. ${actionsText}`
      : auditTable(items) + more;
    return { body: found, text };
  },
};

function auditTable(items: z.infer<typeof AuditRow>[]): string {
  const rows = items.map(
    ({ id, at, actorKind, actorId, action, subjectId, reason, correlationId, ipPrefix }) => ({
      at,
      action,
      id,
      by: actorId === "break_glass" ? "break-glass" : actorKind,
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
  checks: {
    from: numberFrom(0, 1e15),
    "last-id": numberFrom(0, 1e15),
    hash: matching(/^[\da-f]{64}$/, "a hash of 64 hexadecimal digits"),
  },
  notes:
    "Pass --last-id and --hash from an `audit_sealed` log line to also detect a truncated audit log.\nAfter a time limit, --from continues where the last run stopped.",
  async run({ api, options }) {
    if ((options["last-id"] === undefined) !== (options.hash === undefined)) {
      throw new UsageError("Give --last-id and --hash together.");
    }
    const found = await api.get(AuditVerificationReport, "/api/ops/audit/verification", {
      from: textOf(options.from),
      lastId: textOf(options["last-id"]),
      hash: textOf(options.hash),
    });
    const { findings, isIntact, seals, rows, isComplete, verifiedTo, protectedBy } = found;
    const verdict = !isIntact ? "BROKEN" : isComplete ? "intact" : "intact so far";
    const { "last-id": lastId, hash } = options;
    const next = { from: String(verifiedTo), "last-id": lastId, hash };
    const command = commandText({ options }, "audit verify", next);
    const rest = isComplete ? "" : `\nTime limit reached. Continue:\n${command}`;
    const none = seals === 0 ? " Nothing is sealed yet: `cleanup` seals each hour." : "";
    const report = `${verdict}: ${rows} rows with ${seals} seals, protected by ${protectedBy}.${none}${rest}`;
    const broken = findings.length > 0 ? `\n${table(findings)}` : "";
    return { body: found, text: report + broken, isProblem: !isIntact };
  },
};

export const audit = [list, verify];
