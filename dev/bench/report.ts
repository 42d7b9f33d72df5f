import type { BenchResult } from "./result.js";

/** A run as text for a terminal. */
export function report(result: BenchResult): string {
  const { coldStart, storeCalls, bundleBytes } = result;
  const bundles = Object.entries(bundleBytes).sort(([, a], [, b]) => b - a);
  return [
    `${result.stores.join(" and ")}, Node.js ${result.node}, ${result.cpus} CPUs; ` +
      `medians of ${result.rounds} rounds of ${result.seconds} s, ${result.connections} connections ` +
      "(login 8)",
    table(
      ["", "", "req/s", "P50 ms", "P95 ms", "P99 ms", "CPU µs/req", "failed"],
      result.rows.map((row) => [
        row.contender === "ours" ? row.caseName : "",
        row.contender,
        figure(row.perSecond),
        figure(row.p50Ms, 1),
        figure(row.p95Ms, 1),
        figure(row.p99Ms, 1),
        figure(row.cpuUs),
        figure(row.failures),
      ]),
    ),
    table(
      ["ours to", "", "req/s", "CPU"],
      result.ratios.map(({ caseName, to, perSecond, cpu }) => [
        caseName,
        to,
        `x ${figure(perSecond, 2)}`,
        `x ${figure(cpu, 2)}`,
      ]),
    ),
    table(
      ["calls a request, those after the reply included", "Redis trips", "commands", "Postgres"],
      Object.entries(storeCalls).map(([name, calls]) => [
        name,
        figure(calls.redisTrips, 1),
        figure(calls.redisCommands, 1),
        figure(calls.postgresCalls, 1),
      ]),
    ),
    table(
      ["process", ""],
      [
        [
          "peak RSS of the server",
          `${figure(result.peakRssBytes && result.peakRssBytes / 2 ** 20)} MB`,
        ],
        ["fresh process to its first GET /api/user", `${figure(coldStart.firstReplyMs)} ms`],
        [
          `load ${coldStart.loadedFunction}`,
          `${figure(coldStart.loadCpuMs)} ms CPU, ${figure(coldStart.loadMs)} ms`,
        ],
      ],
    ),
    ...likenessOf(result),
    table(
      ["bundle", "KB"],
      bundles.map(([name, bytes]) => [name, figure(bytes / 1024)]),
    ),
    table(
      ["target", "measured", ""],
      result.verdicts.map(({ target, measured, outcome }) => [
        target,
        figure(measured, 2),
        outcome,
      ]),
    ),
  ].join("\n\n");
}

function likenessOf({ likeness }: BenchResult): string[] {
  if (likeness.length === 0) return [];
  const rows = likeness.map(({ operation, auc }) => [operation, figure(auc, 3)]);
  return [table(["times of known addresses to those of unknown ones", "AUC"], rows)];
}

/** Columns as wide as their widest cell: the first two words to the left, figures to the right. */
export function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const isText = head.map((_, column) =>
    rows.every((row) => !/^(x )?[\d.]+$/.test(row[column] ?? "")),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return isText[column] ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A dash stands for what was not measured. */
export function figure(value: number | undefined, decimals = 0): string {
  return value === undefined || Number.isNaN(value) ? "-" : value.toFixed(decimals);
}
