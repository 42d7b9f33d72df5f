import { parseArgs } from "node:util";

export interface BenchOptions {
  /** How long each contender is loaded in each round. */
  seconds: number;
  connections: number;
  rounds: number;
  /** How many pairs of a known and an unknown address are timed for each call; 0: none. */
  pairs: number;
  /** The folder of the peers to measure beside us. */
  peers: string | undefined;
  jsonFile: string;
  /** Exit with 1 when a target is missed. */
  strict: boolean;
}

/** The command line asks for what cannot be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const usage = `usage: npm run bench [-- [--seconds N] [--connections N] [--rounds N] [--pairs N]
  [--peers FOLDER] [--json FILE] [--strict]]`;

/** Throws a UsageError with the word that is wrong. */
export function readOptions(
  args: string[],
  env: Record<string, string | undefined>,
  now: Date,
): BenchOptions {
  const values = parsed(args);
  if (values.peers !== undefined && !(env.DATABASE_URL && env.REDIS_URL)) {
    throw new UsageError("--peers needs real stores: set DATABASE_URL and REDIS_URL.");
  }
  const name = now.toISOString().replace(/[:.]/g, "-");
  return {
    seconds: positive("seconds", values.seconds),
    connections: whole("connections", values.connections),
    rounds: whole("rounds", values.rounds),
    pairs: values.pairs === "0" ? 0 : whole("pairs", values.pairs, 10_000),
    peers: values.peers,
    jsonFile: values.json ?? `bench-results/${name}.json`,
    strict: values.strict,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        seconds: { type: "string", default: "5" },
        connections: { type: "string", default: "32" },
        rounds: { type: "string", default: "3" },
        pairs: { type: "string", default: "0" },
        peers: { type: "string" },
        json: { type: "string" },
        strict: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

function positive(name: string, text: string, most = 600): number {
  const value = Number(text);
  if (!(value > 0 && value <= most))
    throw new UsageError(`--${name} has to be over 0 and at most ${most}.`);
  return value;
}

function whole(name: string, text: string, most?: number): number {
  const value = positive(name, text, most);
  if (!Number.isInteger(value)) throw new UsageError(`--${name} has to be a whole number.`);
  return value;
}
