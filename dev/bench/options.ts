import { parseArgs } from "node:util";
import { z } from "zod";

const count = z.coerce.number().int().positive().max(10_000);

const Options = z.object({
  seconds: z.coerce.number().positive().max(600).default(5),
  rounds: count.default(3),
  connections: count.default(32),
  pairs: count.optional(),
  peers: z.string().optional(),
  json: z.string().optional(),
});

export type BenchOptions = z.infer<typeof Options>;

const usage = `Usage: npm run bench [-- OPTIONS]
  --seconds N      load of each contender in each round (default: 5)
  --rounds N       (default: 3)
  --connections N  (default: 32)
  --pairs N        also time N requests about known and N about unknown addresses
  --peers FOLDER   also measure the peers in FOLDER; needs DATABASE_URL and REDIS_URL, and 95
                   connections to Postgres
  --json FILE      also write the result to FILE`;

export class UsageError extends Error {}

export function readOptions(args: string[], env: Record<string, string | undefined>): BenchOptions {
  const names = Object.keys(Options.shape).map((name) => [name, { type: "string" }] as const);
  try {
    const { values } = parseArgs({ args, options: Object.fromEntries(names) });
    const options = Options.parse(values);
    if (options.peers && !(env.DATABASE_URL && env.REDIS_URL))
      throw new Error("--peers needs DATABASE_URL and REDIS_URL.");
    return options;
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new UsageError(`${reason}\n${usage}`);
  }
}
