import { sum } from "simple-statistics";
import type { ColdStart } from "./cold-start.js";
import type { BenchOptions } from "./options.js";
import type { Row } from "./rounds.js";
import { control } from "./timing.js";

export interface BenchResult {
  environment: string;
  options: BenchOptions;
  rows: Row[];
  coldStart: ColdStart;
  peakRssMb: number;
  /** By request. */
  timings: Record<string, number>;
}

export interface Verdict {
  target: string;
  measured: number;
  verdict: "met" | "MISSED" | "not measured";
}

/** Compare a run with the targets. */
export function judge({ rows, timings, peakRssMb, coldStart }: BenchResult): Verdict[] {
  const row = (caseName: string, name: string) =>
    rows.find((one) => one.caseName === caseName && one.name === name);
  const user = "GET /api/user";
  const [login, refresh] = ["POST /api/auth/login", "POST /api/auth/refresh"];
  const overHttp = row(`${user} over HTTP`, "ours");
  const { [control]: controlAuc, ...aucs } = timings;
  const [worstAuc] = Object.values(aucs).toSorted((a, b) => b - a);
  const targets: Target[] = [
    [`${user}: CPU / bare`, row(user, "bare")?.ratio.cpu, "<=", 2],
    [`${user}: CPU / without events`, row(user, "without events")?.ratio.cpu, "<=", 1.1],
    [`${user}: req/s / peer`, row(user, "peer")?.ratio.perSecond, ">=", 1.5],
    [`${login}: req/s / bare`, row(login, "bare")?.ratio.perSecond, ">=", 0.7],
    [`${refresh}: CPU / bare`, row(refresh, "bare")?.ratio.cpu, "<=", 2],
    [`${user}, bad token: CPU µs`, row(`${user}, bad token`, "ours")?.cpuUs, "<=", 1000],
    [`${refresh}, bad token: CPU µs`, row(`${refresh}, bad token`, "ours")?.cpuUs, "<=", 1000],
    [`${user} over HTTP: req/s`, overHttp?.perSecond, ">=", 1000],
    [`${user} over HTTP: P97.5 ms`, overHttp?.p97Ms, "<=", 100],
    ["known / unknown addresses: AUC", worstAuc, "<=", 0.55],
    ["their control: AUC", controlAuc, ">=", 0.75],
    ["peak RSS of the server: MB", peakRssMb, "<=", 256],
    ["import of the largest function: CPU ms", coldStart.importCpuMs, "<=", 80],
    ["failed requests", sum(rows.map(({ failures }) => failures)), "<=", 0],
  ];
  return judged(targets);
}

type Target = [string, measured: number | undefined, "<=" | ">=", limit: number];

export function judged(targets: Target[]): Verdict[] {
  return targets.map(([what, measured = Number.NaN, sign, limit]) => {
    const isMet = sign === "<=" ? measured <= limit : measured >= limit;
    const verdict = Number.isNaN(measured) ? "not measured" : isMet ? "met" : "MISSED";
    return { target: `${what} ${sign} ${limit}`, measured, verdict };
  });
}

export function printReport({ rows, ...result }: BenchResult): void {
  console.log(`${result.environment}. Ratios are ours / this contender.`);
  const columns = rows.map(({ caseName, name, ratio, ...row }) => ({
    case: caseName,
    contender: name,
    "req/s": row.perSecond,
    "req/s ratio": ratio.perSecond,
    "CPU µs/req": row.cpuUs,
    "CPU ratio": ratio.cpu,
    "P50 ms": row.p50Ms,
    "P97.5 ms": row.p97Ms,
    "P99 ms": row.p99Ms,
    failed: row.failures,
  }));
  const { coldStart, timings, peakRssMb } = result;
  const tables = {
    Load: columns,
    Processes: { peakRssMb, ...coldStart },
    "AUC of the reply times of known and unknown addresses": timings,
    Targets: judge({ rows, ...result }),
  };
  printTables(tables);
}

export function printTables(tables: Record<string, object>): void {
  for (const [title, table] of Object.entries(tables)) {
    console.log(title);
    console.table(JSON.parse(JSON.stringify(table), rounded));
  }
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 100) / 100 : value;
}
