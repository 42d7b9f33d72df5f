import { sum } from "simple-statistics";
import type { BundleSizes } from "./bundles.js";
import { noSuchPath, onePerson } from "./cases.js";
import type { ColdStart } from "./cold-start.js";
import type { BenchOptions } from "./options.js";
import type { Row } from "./rounds.js";
import { control } from "./timing.js";

/** What the targets are about. */
export interface Measured {
  rows: Row[];
  bundles: BundleSizes;
  /** `--check` measures only rows and bundles. */
  coldStart?: ColdStart | undefined;
  peakRssMb?: number | undefined;
  /** By request. */
  timings?: Record<string, number>;
}

export interface BenchResult extends Measured {
  environment: string;
  options: BenchOptions;
}

export interface Verdict {
  target: string;
  measured: number;
  verdict: "met" | "MISSED" | "not measured";
}

/** Sizes do not vary, so this is for new features. A new package is larger. */
export const sizeTolerance = 0.02;

/** Less than the gains that are worth keeping, and more than a value varies from run to run. */
export const ratioTolerance = 0.15;

export type Target = [
  what: string,
  measured: number | undefined,
  sign: "<=" | ">=",
  limit: number,
  /** The share by which `--check` allows a worse value. Without it, the value depends too much on the machine. */
  tolerance?: number,
];

/** Compare a run with the targets. */
export const judge = (result: Measured): Verdict[] => judged(targetsOf(result));

export function targetsOf(result: Measured): Target[] {
  const { rows, timings = {}, peakRssMb, coldStart, bundles } = result;
  const row = (caseName: string, name: string) =>
    rows.find((one) => one.caseName === caseName && one.name === name);
  const user = "GET /api/user";
  const [login, refresh] = ["POST /api/auth/login", "POST /api/auth/refresh"];
  const overHttp = `${user} over HTTP`;
  const { [control]: controlAuc, ...aucs } = timings;
  const [worstAuc] = Object.values(aucs).toSorted((a, b) => b - a);
  const bare = row(user, "bare")?.ratio;
  const floor = row(user, "floor")?.ratio;
  const badToken = row(`${user}, bad token`, "ours")?.cpuUs;
  const scan = row(noSuchPath, "ours")?.cpuUs;
  const people = rows.find(({ name }) => name === onePerson)?.ratio;
  return [
    ["GET /api/livez: CPU µs", row("GET /api/livez", "ours")?.cpuUs, "<=", 70],
    [`${user}: CPU / bare`, bare?.cpu, "<=", 1.3, ratioTolerance],
    [`${user}: bare CPU / floor`, floor && bare && floor.cpu / bare.cpu, "<=", 2.2],
    [`${user}: CPU / without events`, row(user, "without events")?.ratio.cpu, "<=", 1.1],
    [`${user}: CPU of many people / ${onePerson}`, people?.cpu, "<=", 1.15, ratioTolerance],
    [`${user}: req/s / peer`, row(user, "peer")?.ratio.perSecond, ">=", 2.2],
    [`${login}: req/s / bare`, row(login, "bare")?.ratio.perSecond, ">=", 0.75],
    [`${refresh}: CPU / bare`, row(refresh, "bare")?.ratio.cpu, "<=", 1.5, ratioTolerance],
    [`${user}, bad token: CPU µs`, badToken, "<=", 1000],
    [`${noSuchPath}: CPU / ${user}, bad token`, scan && badToken && scan / badToken, "<=", 1],
    [`${refresh}, bad token: CPU µs`, row(`${refresh}, bad token`, "ours")?.cpuUs, "<=", 1000],
    [`${overHttp}: CPU / bare`, row(overHttp, "bare")?.ratio.cpu, "<=", 1.4, ratioTolerance],
    [`${overHttp}: req/s`, row(overHttp, "ours")?.perSecond, ">=", 1500],
    [`${overHttp}: P97.5 ms`, row(overHttp, "ours")?.p97Ms, "<=", 100],
    ["known / unknown addresses: AUC", worstAuc, "<=", 0.55],
    ["their control: AUC", controlAuc, ">=", 0.75],
    ["peak RSS of the server: MB", peakRssMb, "<=", 200],
    ["import of the largest function: CPU ms", coldStart?.importCpuMs, "<=", 60],
    ["first signed-in reply of a new process: ms", coldStart?.firstReplyMs, "<=", 250],
    [
      "median bundle, loaded before the first reply: KB",
      bundles.medianLoadedKb,
      "<=",
      450,
      sizeTolerance,
    ],
    ["failed requests", sum(rows.map(({ failures }) => failures)), "<=", 0],
  ];
}

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
  const { coldStart, timings = {}, peakRssMb } = result;
  const { medianByPackageKb, ...bundles } = result.bundles;
  const tables = {
    Load: columns,
    Processes: { peakRssMb, ...coldStart },
    Bundles: bundles,
    [`KB of ${bundles.medianFunction} by npm package`]: medianByPackageKb,
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
