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

/** Statements that look at everything on purpose, most of them reports of operators, within the deadline of a statement. */
const reports: [statement: RegExp, reason: string][] = [
  [/ from drained_batches group by instance /, "gaps in the batches of the last 48 hours"],
  [
    /"?queue_entries"? where .*payload -> 'to' ->> 'userId' = any\(/,
    "mails to one person: those that were sent are deleted, the others expire within a day",
  ],
  [
    /"queue_entries" (set .*)?where (dead_at is not null and )?key is null and /,
    "mails and notices that wait or have failed, as operators count and retry them",
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
  [
    / from "incident_notes" where "author" = cast/,
    "what an account has written, in its export: there are a few notes per incident",
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
 * small tables, so the plan does not depend on sizes: a sequential scan is left only where nothing else is possible. With
 * other statistics, a null test is left only where no better condition has an index.
 */
export async function wholeReads(backend: SqlBackend, statements: SqlStatement[]) {
  const { rows } = await backend.query({
    text: `select c.relname, t.relname, pg_get_indexdef(indexrelid, 1, true) from pg_index
      join pg_class c on c.oid = indexrelid join pg_class t on t.oid = indrelid where indpred is null`,
    params: [],
  });
  const complete: CompleteIndexes = new Map(
    rows.map(([index, table, column]) => [
      index ?? "",
      { table: table ?? "", column: column ?? "" },
    ]),
  );
  const found: { tables: string; text: string }[] = [];
  for (const statement of statements) {
    const oneLine = statement.text.replace(/\s+/g, " ").trim();
    if (reports.some(([pattern]) => pattern.test(oneLine))) continue;
    const wholeIn = async (statistics: string[]) => {
      const plan = await planOf(backend, statement, statistics);
      return plan ? [...new Set(readWhole(plan, complete))] : [];
    };
    let tables = await wholeIn([]);
    if (tables.length > 0) tables = await wholeIn(halfNull);
    if (tables.length > 0) found.push({ tables: tables.join(), text: statement.text });
  }
  return found;
}

/** Those that are not partial, with their first column or expression. */
type CompleteIndexes = ReadonlyMap<string, { table: string; column: string }>;

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Plans?: PlanNode[];
}

/** As if no table had been analyzed, except that half of the values of each column are null. */
const halfNull = [
  `update pg_class set relpages = 0, reltuples = -1
   where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  `delete from pg_statistic using pg_class
   where pg_class.oid = starelid and relnamespace = 'public'::regnamespace`,
  `insert into pg_statistic select attrelid, attnum, false, 0.5, 16, -0.5, ${"0, ".repeat(14)}0
   from pg_attribute join pg_class on pg_class.oid = attrelid
   where relkind = 'r' and relnamespace = 'public'::regnamespace and attnum > 0 and not attnotnull and not attisdropped`,
];

async function planOf(backend: SqlBackend, { text, params }: SqlStatement, statistics: string[]) {
  const settings = [
    ...["seqscan", "hashjoin", "mergejoin", "material"].map(
      (way) => `set local enable_${way} = off`,
    ),
    "set local plan_cache_mode = force_custom_plan",
  ];
  try {
    const results = await backend.batch(
      [
        ...[...settings, ...statistics].map((each) => ({ text: each, params: [] })),
        { text: `explain (format json) ${text}`, params },
        { text: "rollback", params: [] },
      ],
      { isolationLevel: undefined, readOnly: false, deferrable: false },
    );
    return JSON.parse(results.at(-2)?.rows[0]?.[0] ?? "[]")[0]?.Plan as PlanNode | undefined;
  } catch {
    // A test sent invalid values, or removed the table.
    return undefined;
  }
}

/** A node that needs all rows of the nodes below it. */
const gathers = /^(Sort|Aggregate|Hash|Group|Unique|WindowAgg|Materialize|ModifyTable|BitmapAnd)$/;

function readWhole(node: PlanNode, complete: CompleteIndexes, isLimited = false): string[] {
  const { "Node Type": type, "Index Name": index, Plans: below = [] } = node;
  const limits = type === "Limit" || (isLimited && !gathers.test(type));
  const scanned = /Index( Only)? Scan/.test(type) ? complete.get(index ?? "") : undefined;
  const isWholeIndex =
    scanned && !isLimited && !comparesFirstColumn(node["Index Cond"] ?? "", scanned.column);
  const table = (node["Relation Name"] ?? scanned?.table ?? "").replace(
    /^access_log_\d+$/,
    "access_log",
  );
  const isWhole = (type === "Seq Scan" || isWholeIndex) && !isBounded(table);
  const own = isWhole ? [table] : [];
  return [...own, ...below.flatMap((each) => readWhole(each, complete, limits))];
}

/** A null test may be true for nearly all rows; without the first column all of the index is read. */
const comparesFirstColumn = (condition: string, column: string) =>
  condition
    .split(" AND ")
    .filter((part) => !/ IS (NOT )?NULL\)+$/.test(part))
    .some((part) => startsWithName(part.replace(/^\(*(ROW\()?/, ""), column.replace(/^\(/, "")));

const startsWithName = (text: string, name: string) =>
  text.startsWith(name) && !/^\w/.test(text.slice(name.length));

const isBounded = (name: string) => Object.hasOwn(boundedTables, name) || name.startsWith("pg_");
