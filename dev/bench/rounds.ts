import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, sum } from "simple-statistics";
import { endWithThisProcess } from "./child.js";
import type { Server } from "./server.js";

export interface LoadRequest {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  /** Sent in turn; each connection starts with another one. */
  bodies?: string[];
  /** Headers of different callers, sent in turn; each connection sends those of others. */
  callers?: Record<string, string>[];
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
  const running = promisify(execFile)(process.execPath, ["--import", "tsx", program]);
  endWithThisProcess(running.child);
  running.child.stdin?.end(JSON.stringify(request));
  return JSON.parse((await running).stdout);
}

/** Medians of the rounds; the failures are added. */
export interface Row extends Sample {
  caseName: string;
  name: string;
  /** Ours divided by this contender: the median of the ratios within each round in which no request of either failed. */
  ratio: { perSecond: number; cpu: number };
  samples: Sample[];
}

/** With less, the first rounds also measure the compilation of the server's code. */
const warmUp = { replies: 10_000, seconds: 3, secondsMax: 12 };

/**
 * Load all contenders one after another in each round, so that other work of the machine affects all of
 * them. The warm-up before is not counted. As many rounds again if the result is in doubt.
 */
export async function runRounds(
  contenders: readonly Contender[],
  { rounds, seconds, connections }: Scale & { rounds: number },
  log: (progress: string) => void,
  isInDoubt: (rows: Row[]) => boolean = () => false,
): Promise<Row[]> {
  const samples = contenders.map((): Sample[] => []);
  log("Warm-up");
  for (const { measure } of contenders) {
    const load = { seconds: Math.max(seconds, warmUp.seconds), connections };
    for (let replies = 0, spent = 0; replies < warmUp.replies && spent < warmUp.secondsMax; ) {
      replies += load.seconds * (await measure(load)).perSecond;
      spent += load.seconds;
    }
  }
  for (let done = 0, planned = rounds; done < planned; ) {
    done += 1;
    log(`Round ${done} of ${planned}`);
    for (const [at, { measure }] of contenders.entries())
      samples[at]?.push(await measure({ seconds, connections }));
    if (done === rounds && isInDoubt(rowsOf(contenders, samples))) planned += rounds;
  }
  return rowsOf(contenders, samples);
}

function rowsOf(contenders: readonly Contender[], samples: readonly Sample[][]): Row[] {
  return contenders.map(({ caseName, name }, index) => {
    const own = samples[index] ?? [];
    const ours = samples[contenders.findIndex((other) => other.caseName === caseName)] ?? [];
    const of = (key: keyof Sample) => median(own.map((sample) => sample[key]));
    const clean = own.flatMap((sample, round) => {
      const our = ours[round];
      return our && our.failures + sample.failures === 0 ? [{ our, sample }] : [];
    });
    const ratio = (key: keyof Sample) =>
      clean.length > 0
        ? median(clean.map(({ our, sample }) => our[key] / sample[key]))
        : Number.NaN;
    return {
      caseName,
      name,
      perSecond: of("perSecond"),
      p50Ms: of("p50Ms"),
      p97Ms: of("p97Ms"),
      p99Ms: of("p99Ms"),
      cpuUs: of("cpuUs"),
      failures: sum(own.map(({ failures }) => failures)),
      ratio: { perSecond: ratio("perSecond"), cpu: ratio("cpuUs") },
      samples: [...own],
    };
  });
}
