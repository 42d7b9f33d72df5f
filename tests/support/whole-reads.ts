import type {
  SqlBackend,
  SqlStatement,
} from "../../lib/platform/postgres-transport/neon-protocol.js";

/** Tables that do not grow with people or requests. Any other table must be read by an index. */
export const boundedTables: Record<string, string> = {
  alert_clock: "one row",
  alerts: "one row per rule and label",
  alert_silences: "set by operators, for hours",
  audit_retirements: "one row per retired seal of 10,000 rows, read by its newest",
  blocks: "set by operators; those that ended go after 30 days",
  course_versions: "a row for each version of a course",
  courses: "one row per course",
  cron_cursors: "one row per job",
  cron_leases: "one row per job",
  deployment_events: "a few rows per release",
  deployments: "one row per release",
  drain_state: "one row",
  erasures: "one narrow row per erased account, counted once a minute",
  flags: "one row per flag",
  incidents: "opened by operators",
  lessons: "some dozens for each version of a course",
  mirror_versions: "one row per mirror",
  operator_tokens: "made by admins",
  restore_drills: "one row per month",
  restored_erasures: "filled by a restore, emptied at its end",
  schema_migrations: "one row per migration",
  schema_migration_leases: "one row per migration",
  security_settings: "one row",
  telemetry_gauges: "at most 5,000 series",
  telemetry_totals: "at most 5,000 series",
  words: "some hundreds for each version of a course",
};

/** Reports of operators that look at everything on purpose, within the deadline of a statement. */
const reports: [statement: RegExp, reason: string][] = [
  [/ from drained_batches group by instance /, "gaps in the batches of the last 48 hours"],
  [
    /"?queue_entries"? where .*payload -> 'to' ->> 'userId' = any\(/,
    "mails to one person: those that were sent are deleted, the others expire within a day",
  ],
  [/strpos\(key, value\)/, "counters in Postgres, which are few unless Redis was down this hour"],
  [
    /as what, split_part\(sealed_secret/,
    "which rows still need an old DATA_KEY, before it is removed",
  ],
  [
    /^\s*with held as \(\s*select id, cast\(user_id as uuid\) as user_id/,
    "sessions that Redis still has, page by page, at the end of a restore",
  ],
  [
    /^select count\(\*\) as count from "(users|sessions|consents)" where "\1"\."(created|accepted)_at" <= /,
    "what a restore drill expects in a copy, once a month",
  ],
  [
    /^select cast\(count\(\*\) as integer\) as value from \(select "user_id" from "sessions" where \("sessions"\."revoked_at" is null/,
    "users with more live sessions than allowed, an invariant that `verify` checks",
  ],
  [/^select count\(\*\) from "suppressed_addresses"$/, "how many addresses are suppressed"],
];

const seen = new Map<string, SqlStatement>();
const explained = new Set<string>();
const explainable = /^\s*(\/\*.*?\*\/\s*)?(with|select|insert|update|delete)\b/is;

/** The same backend; statements are remembered until `wholeReadsSeen`. */
export function rememberStatements(backend: SqlBackend): SqlBackend {
  const remember = (statement: SqlStatement) => {
    const text = statement.text.replace(/^\/\*.*?\*\/\s*/s, "");
    if (!explained.has(text) && explainable.test(text)) seen.set(text, { ...statement, text });
  };
  return {
    query(statement, signal) {
      remember(statement);
      return backend.query(statement, signal);
    },
    batch(statements, options, signal) {
      statements.forEach(remember);
      return backend.batch(statements, options, signal);
    },
  };
}

/** The remembered statements of this worker that read a whole table. Each text is looked at once. */
export async function wholeReadsSeen(backend: SqlBackend): Promise<string[]> {
  const statements = [...seen.values()];
  seen.clear();
  for (const { text } of statements) explained.add(text);
  const found = await wholeReads(backend, statements);
  return found.map(({ tables, text }) => `${tables}: ${text.replace(/\s+/g, " ").slice(0, 300)}`);
}

/**
 * Those of the statements for which Postgres has no index, or reads all of one. Disabled are what the planner prefers for
 * small tables, so the plan does not depend on sizes and statistics: it is left only where nothing else is possible.
 */
export async function wholeReads(backend: SqlBackend, statements: SqlStatement[]) {
  const { rows } = await backend.query({
    text: `select c.relname, t.relname from pg_index
      join pg_class c on c.oid = indexrelid join pg_class t on t.oid = indrelid where indpred is null`,
    params: [],
  });
  const complete = new Map(rows.map(([index, table]) => [index ?? "", table ?? ""]));
  const found: { tables: string; text: string }[] = [];
  for (const statement of statements) {
    const oneLine = statement.text.replace(/\s+/g, " ").trim();
    if (reports.some(([pattern]) => pattern.test(oneLine))) continue;
    const plan = await planOf(backend, statement);
    const tables = plan ? [...new Set(readWhole(plan, complete))] : [];
    if (tables.length > 0) found.push({ tables: tables.join(), text: statement.text });
  }
  return found;
}

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Plans?: PlanNode[];
}

async function planOf(backend: SqlBackend, { text, params }: SqlStatement) {
  const settings = [
    ...["seqscan", "hashjoin", "mergejoin", "material"].map(
      (way) => `set local enable_${way} = off`,
    ),
    "set local plan_cache_mode = force_custom_plan",
  ];
  try {
    const results = await backend.batch(
      [
        ...settings.map((setting) => ({ text: setting, params: [] })),
        { text: `explain (format json) ${text}`, params },
      ],
      { isolationLevel: undefined, readOnly: false, deferrable: false },
    );
    return JSON.parse(results.at(-1)?.rows[0]?.[0] ?? "[]")[0]?.Plan as PlanNode | undefined;
  } catch {
    // A test sent invalid values, or removed the table.
    return undefined;
  }
}

/** A node that needs all rows of the nodes below it. */
const gathers = /^(Sort|Aggregate|Hash|Group|Unique|WindowAgg|Materialize|ModifyTable|BitmapAnd)$/;

/** `complete`: the indexes that are not partial, each with its table. */
function readWhole(
  node: PlanNode,
  complete: ReadonlyMap<string, string>,
  isLimited = false,
): string[] {
  const { "Node Type": type, Plans: below = [] } = node;
  const limits = type === "Limit" || (isLimited && !gathers.test(type));
  const ofIndex = complete.get(node["Index Name"] ?? "");
  const isIndex = /Index( Only)? Scan/.test(type) && ofIndex !== undefined;
  const table = node["Relation Name"] ?? ofIndex ?? "";
  const isWhole =
    type === "Seq Scan" || (isIndex && node["Index Cond"] === undefined && !isLimited);
  const name = table.replace(/^access_log_\d+$/, "access_log");
  const own = isWhole && !isBounded(name) ? [name] : [];
  return [...own, ...below.flatMap((each) => readWhole(each, complete, limits))];
}

const isBounded = (name: string) => Object.hasOwn(boundedTables, name) || name.startsWith("pg_");
