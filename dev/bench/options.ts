import { parseArgs } from "node:util";
import { z } from "zod";

const count = z.coerce.number().int().positive().max(10_000);

const Given = z.object({
  seconds: z.coerce.number().positive().max(600).optional(),
  rounds: count.default(3),
  connections: count.default(32),
  pairs: count.optional(),
  peers: z.string().optional(),
  json: z.string().optional(),
  open: z.boolean().default(false),
  rate: count.default(1000),
  people: z.coerce.number().int().positive().max(200_000).default(10_000),
});

const Options = Given.transform(({ seconds, ...given }) => ({
  ...given,
  seconds: seconds ?? (given.open ? 60 : 5),
}));

export type BenchOptions = z.infer<typeof Options>;

const usage = `Usage: npm run bench [-- OPTIONS]
  --seconds N      load of each contender in each round (default: 5), or of --open (default: 60)
  --rounds N       (default: 3)
  --connections N  (default: 32)
  --pairs N        also time N requests about known and N about unknown addresses
  --peers FOLDER   also measure the peers in FOLDER; needs DATABASE_URL and REDIS_URL, and 95
                   connections to Postgres
  --json FILE      also write the result to FILE
  --open           instead send calls at a fixed rate, a realistic mix, and measure from the time each was due
  --rate N         calls a second (default: 1000)
  --people N       signed-in people, each with an IP address (default: 10000)`;

export class UsageError extends Error {}

export function readOptions(args: string[], env: Record<string, string | undefined>): BenchOptions {
  const names = Object.keys(Given.shape).map((name) => {
    const type = name === "open" ? ("boolean" as const) : ("string" as const);
    return [name, { type }] as const;
  });
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
