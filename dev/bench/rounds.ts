import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, sum } from "simple-statistics";
import type { Server } from "./server.js";

export interface LoadRequest {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  /** Sent in turn; each connection starts with another one. */
  bodies?: string[];
  /** Instead of bodies: each connection refreshes its own session, each time with the newest token. */
  refreshTokens?: string[];
  /** Default: 200. */
  status?: number;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  replies: number;
  perSecond: number;
  p50Ms: number;
  p97Ms: number;
  p99Ms: number;
  /** Errors, and replies with another status. */
  failures: number;
}

/** One contender under load in one round. `cpuUs` is the CPU time of its server for each reply. */
export type Sample = Omit<LoadResult, "replies"> & { cpuUs: number };

/** The contenders of a case do the same work; the first one is ours. */
export interface Contender {
  caseName: string;
  name: string;
  measure(scale: Scale): Promise<Sample>;
}

export type Scale = Pick<LoadRequest, "seconds" | "connections">;

/** `connections` are set where those of the run are not suitable. */
export type Ask = Omit<LoadRequest, "url" | keyof Scale> & { path: string; connections?: number };

/** `prepare` makes the rest of the request before each measurement. */
export function contender(
  caseName: string,
  name: string,
  server: Server,
  { path, ...ask }: Ask,
  prepare?: (scale: Scale) => Promise<Partial<Ask>>,
): Contender {
  const measure = async (scale: Scale) => {
    const request = { ...scale, ...ask, ...(await prepare?.(scale)), url: server.url + path };
    const before = server.usage().cpuMs;
    const { replies, ...sample } = await load(request);
    return { ...sample, cpuUs: ((server.usage().cpuMs - before) * 1000) / replies };
  };
  return { caseName, name, measure };
}

/** In another process, because this one may serve the stores. */
export async function load(request: LoadRequest): Promise<LoadResult> {
  const { hostname } = new URL(request.url);
  if (hostname !== "127.0.0.1") throw new Error(`${hostname} is not this machine.`);
  const program = fileURLToPath(new URL("load-program.ts", import.meta.url));
  const args = ["--import", "tsx", program, JSON.stringify(request)];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
}

/** Medians of the rounds; the failures are added. */
export interface Row extends Sample {
  caseName: string;
  name: string;
  /** Ours divided by this contender: the median of the ratios within each round. */
  ratio: { perSecond: number; cpu: number };
}

/**
 * Load all contenders one after another in each round, so that other work of the machine affects all of
 * them. The first round is a warm-up and not counted.
 */
export async function runRounds(
  contenders: readonly Contender[],
  { rounds, seconds, connections }: Scale & { rounds: number },
  log: (progress: string) => void,
): Promise<Row[]> {
  const measured = contenders.map((contender) => ({ ...contender, samples: [] as Sample[] }));
  for (let round = 0; round <= rounds; round++) {
    log(round === 0 ? "Warm-up" : `Round ${round} of ${rounds}`);
    for (const { measure, samples } of measured) {
      const sample = await measure({ seconds, connections });
      if (round > 0) samples.push(sample);
    }
  }
  return measured.map(({ caseName, name, samples }) => {
    const ours = measured.find((other) => other.caseName === caseName)?.samples ?? [];
    const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
    const ratio = (key: keyof Sample) =>
      median(samples.map((sample, round) => (ours[round]?.[key] ?? Number.NaN) / sample[key]));
    return {
      caseName,
      name,
      perSecond: of("perSecond"),
      p50Ms: of("p50Ms"),
      p97Ms: of("p97Ms"),
      p99Ms: of("p99Ms"),
      cpuUs: of("cpuUs"),
      failures: sum(samples.map(({ failures }) => failures)),
      ratio: { perSecond: ratio("perSecond"), cpu: ratio("cpuUs") },
    };
  });
}
