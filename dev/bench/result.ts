import type { ColdStart } from "./cold-start.js";
import type { Likeness } from "./likeness.js";
import type { Measured, Sample } from "./rounds.js";
import { median, medianRatio } from "./statistics.js";
import type { StoreCalls } from "./store-calls.js";

/** Everything that a run found out, as it is written to the JSON file. */
export interface BenchResult {
  at: string;
  node: string;
  cpus: number;
  stores: string[];
  rounds: number;
  seconds: number;
  connections: number;
  rows: Row[];
  ratios: Ratio[];
  storeCalls: Record<string, StoreCalls>;
  peakRssBytes: number | undefined;
  coldStart: ColdStart;
  bundleBytes: Record<string, number>;
  likeness: Likeness[];
  verdicts: Verdict[];
}

/** The medians of one contender's rounds; failures are added up. */
export interface Row extends Sample {
  caseName: string;
  contender: string;
}

/** Ours to another contender of the same case: medians of the rounds' own ratios. */
export interface Ratio {
  caseName: string;
  to: string;
  perSecond: number;
  cpu: number | undefined;
}

export function rowsOf(measured: readonly Measured[]): Row[] {
  return measured.map(({ caseName, contender, samples }) => {
    const of = (figure: (sample: Sample) => number) => median(samples.map(figure));
    const cpuUs = of((sample) => sample.cpuUs ?? Number.NaN);
    return {
      caseName,
      contender,
      perSecond: of((sample) => sample.perSecond),
      p50Ms: of((sample) => sample.p50Ms),
      p95Ms: of((sample) => sample.p95Ms),
      p99Ms: of((sample) => sample.p99Ms),
      cpuUs: Number.isNaN(cpuUs) ? undefined : cpuUs,
      failures: samples.reduce((sum, { failures }) => sum + failures, 0),
    };
  });
}

/** The first contender of each case to each of its others. */
export function ratiosOf(measured: readonly Measured[]): Ratio[] {
  return measured.flatMap((other) => {
    const ours = measured.find(({ caseName }) => caseName === other.caseName);
    return !ours || ours === other ? [] : [ratioOf(ours, other)];
  });
}

function ratioOf(ours: Measured, other: Measured): Ratio {
  const ratio = (figure: (sample: Sample) => number) =>
    medianRatio(ours.samples.map(figure), other.samples.map(figure));
  const cpu = ratio((sample) => sample.cpuUs ?? Number.NaN);
  return {
    caseName: ours.caseName,
    to: other.contender,
    perSecond: ratio((sample) => sample.perSecond),
    cpu: Number.isNaN(cpu) ? undefined : cpu,
  };
}

export interface Verdict {
  target: string;
  /** Undefined when this run did not measure it. */
  measured: number | undefined;
  outcome: "PASS" | "MISS" | "not measured";
}
