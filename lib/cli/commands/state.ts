import { DatabaseState, SlowStatements } from "../../operations/state/database-state.js";
import { CheckReport } from "../../operations/state/finding.js";
import type { Command } from "../command.js";
import { table, wrapped } from "../text.js";
import { verify } from "./verify.js";

function findingsText({ status, findings }: CheckReport): string {
  const rows = findings.map(({ status: is, name, detail }) => ({ is, name, detail }));
  return `${status}\n${table(rows)}`;
}

const status: Command = {
  name: "status",
  args: [],
  summary: "overview: release, stores, cron jobs, event drain, alerts, mail, backups",
  async run({ api }) {
    const found = await api.get(CheckReport, "/api/ops/health");
    return { body: found, text: findingsText(found), isProblem: found.status !== "pass" };
  },
};

const lockWaitSecondsMax = 5;
const transactionSecondsMax = 300;
const transactionAgeMax = 1_000_000_000;

function databaseProblems(found: DatabaseState, used: number): string[] {
  const { connectionsMax, longest, lockWaits, bloated, transactionAge } = found;
  const old = longest.filter(
    ({ kind, seconds }) => kind === "transaction" && seconds > transactionSecondsMax,
  );
  const waiting = lockWaits.filter(({ seconds }) => seconds > lockWaitSecondsMax);
  return [
    ...(found.isReadOnly ? ["the server is read-only: a replica, or its disk is full"] : []),
    ...(used > 0.8 * connectionsMax ? ["more than 80 % of the connections are in use"] : []),
    ...old.map(({ pid, seconds }) => `transaction of process ${pid} is open for ${seconds} s`),
    ...waiting.map(
      ({ pid, seconds, blockedBy }) =>
        `process ${pid} has waited ${seconds} s for a lock of process ${blockedBy.join(", ")}`,
    ),
    ...bloated.map(
      ({ name, deadRows, vacuumedAt }) =>
        `${deadRows} dead rows in ${name}, last vacuum ${vacuumedAt ?? "never"}`,
    ),
    ...(transactionAge > transactionAgeMax
      ? [`${transactionAge} transactions since the last freeze: run VACUUM FREEZE`]
      : []),
  ];
}

const databaseStatus: Command = {
  name: "db status",
  args: [],
  summary: "connections, long statements, waits for locks, size and vacuum of Postgres",
  async run({ api }) {
    const found = await api.get(DatabaseState, "/api/ops/db");
    const { version, megabytes, connectionsMax, connections, tables } = found;
    const used = connections.reduce((sum, { count }) => sum + count, 0);
    const problems = databaseProblems(found, used);
    const mode = found.isReadOnly ? "read-only" : "read-write";
    const bound = found.statementTimeoutMs || "none";
    const parts = [
      wrapped(
        `PostgreSQL ${version}, ${mode}, ${megabytes} MB, ${used} of ${connectionsMax} connections, statement_timeout ${bound}`,
        0,
      ),
      ...(problems.length > 0
        ? [problems.map((problem) => wrapped(`PROBLEM: ${problem}`, 0)).join("\n")]
        : []),
      table(connections),
      table(found.longest, "No statement is running.", ["statement"]),
      ...(found.lockWaits.length > 0 ? [table(found.lockWaits, "", ["statement"])] : []),
      ...(found.replicas.length > 0 ? [table(found.replicas)] : []),
      table(tables),
    ];
    return { body: found, text: parts.join("\n\n"), isProblem: problems.length > 0 };
  },
};

const databaseSlow: Command = {
  name: "db slow",
  args: [],
  summary: "the SQL statements that took the most time",
  async run({ api }) {
    const found = await api.get(SlowStatements, "/api/ops/db/slow");
    const note =
      found.source === "running"
        ? "The extension pg_stat_statements is not installed (as its owner: create extension\npg_stat_statements): showing statements that have been running for over 1 s.\n"
        : "";
    return { body: found, text: note + table(found.items, "None.") };
  },
};

const databaseReconnect: Command = {
  name: "db reconnect",
  args: [],
  summary:
    "replace the connections of every instance to Postgres; statements in progress end first",
  changes: true,
  notes: "For self-hosted servers. Over HTTPS, as on Vercel, there is no connection pool.",
  run: ({ api }) => api.change("POST", "/api/ops/db/reconnections"),
};

const rebuild: Command = {
  name: "redis rebuild",
  args: [],
  summary:
    "rebuild the flags, blocks and revocations in Redis and drain events; does not sign anyone in or out",
  changes: true,
  run: ({ api }) => api.change("POST", "/api/ops/redis/rebuild"),
};

export const state = [status, verify, databaseStatus, databaseSlow, databaseReconnect, rebuild];
