import { readFile, writeFile } from "node:fs/promises";
import { type Measured, ratioTolerance, sizeTolerance, targetsOf } from "./report.js";
import type { Contender } from "./rounds.js";

/** What `--check --write` keeps, by name. The ratios depend on the kind of stores. */
export type KeptValues = Record<string, number>;

export interface Comparison {
  what: string;
  measured: number;
  kept: number;
  /** The worst value that is allowed. */
  limit: number;
  verdict: "kept" | "better" | "LOST" | "not kept" | "not measured";
}

const file = new URL("ratios.json", import.meta.url);

export type StoresKind = "real stores" | "embedded stores";

async function readFileOfKept(): Promise<Partial<Record<StoresKind, KeptValues>>> {
  return JSON.parse(await readFile(file, "utf8"));
}

export async function readKept(stores: StoresKind): Promise<KeptValues> {
  return (await readFileOfKept())[stores] ?? {};
}

export async function writeKept(stores: StoresKind, values: KeptValues): Promise<void> {
  const all = { ...(await readFileOfKept()), [stores]: values };
  await writeFile(file, `${JSON.stringify(all, null, 2)}\n`);
}

/** Throws if something was not measured: the next check could not compare it. */
export function keptValuesOf(result: Measured): KeptValues {
  const values: KeptValues = {};
  for (const { what, measured } of measuresOf(result)) {
    if (Number.isNaN(measured)) throw new Error(notMeasured(what));
    values[what] = Number(measured.toFixed(3));
  }
  return values;
}

/** Those of cases with two contenders: only ratios within one run are compared. */
export function comparedContenders(contenders: readonly Contender[]): Contender[] {
  return contenders.filter(({ caseName, name }) =>
    contenders.some((other) => other.caseName === caseName && other.name !== name),
  );
}

export function compare(result: Measured, kept: KeptValues): Comparison[] {
  const measures = measuresOf(result);
  const names = new Set(measures.map(({ what }) => what));
  const gone = Object.keys(kept)
    .filter((what) => !names.has(what))
    .map((what) => ({ what, measured: Number.NaN, isLess: true, tolerance: 0 }));
  return [...measures, ...gone].map(({ what, measured, isLess, tolerance }) => {
    const value = kept[what] ?? Number.NaN;
    const [worse, better] = isLess
      ? [1 + tolerance, 1 - tolerance]
      : [1 - tolerance, 1 + tolerance];
    const isAsGoodAs = (bound: number) => (isLess ? measured <= bound : measured >= bound);
    const verdict = () => {
      if (Number.isNaN(measured)) return "not measured";
      if (Number.isNaN(value)) return "not kept";
      if (!isAsGoodAs(value * worse)) return "LOST";
      return isAsGoodAs(value * better) ? "better" : "kept";
    };
    return { what, measured, kept: value, limit: value * worse, verdict: verdict() };
  });
}

/** One line for each reason to fail. */
export function problemsOf(comparisons: readonly Comparison[]): string[] {
  return comparisons.flatMap(({ what, measured, kept, limit, verdict }) => {
    const [found, before, bound] = [measured, kept, limit].map((value) => value.toFixed(2));
    if (verdict === "LOST")
      return `LOST: ${what} is ${found}; it was ${before}, and ${bound} is allowed.`;
    if (verdict === "not kept") return `${what} has no value in dev/bench/ratios.json.`;
    return verdict === "not measured" ? notMeasured(what) : [];
  });
}

const notMeasured = (what: string) =>
  `${what} was not measured, or requests failed in every round.`;

function measuresOf(result: Measured) {
  const { largestKb, medianKb } = result.bundles;
  const login = "POST /api/auth/login";
  const logins = result.rows.find(({ caseName, name }) => caseName === login && name === "bare");
  const size = { isLess: true, tolerance: sizeTolerance };
  return [
    ...targetsOf(result).flatMap(([what, measured = Number.NaN, sign, , tolerance]) =>
      tolerance === undefined ? [] : { what, measured, isLess: sign === "<=", tolerance },
    ),
    {
      // Instead of its req/s, which vary more when other programs use the processors.
      what: `${login}: CPU / bare`,
      measured: logins?.ratio.cpu ?? Number.NaN,
      isLess: true,
      tolerance: ratioTolerance,
    },
    { what: "largest bundle: KB", measured: largestKb, ...size },
    { what: "median bundle, with what is loaded later: KB", measured: medianKb, ...size },
  ];
}
