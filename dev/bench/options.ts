import { parseArgs } from "node:util";
import { z } from "zod";

const count = z.coerce.number().int().positive().max(10_000);

const Given = z.object({
  seconds: z.coerce.number().positive().max(600).optional(),
  rounds: count.optional(),
  connections: count.default(32),
  pairs: count.optional(),
  peers: z.string().optional(),
  json: z.string().optional(),
  open: z.boolean().default(false),
  rate: count.default(1000),
  check: z.boolean().default(false),
  write: z.boolean().default(false),
  people: z.coerce.number().int().positive().max(200_000).default(10_000),
});

const Options = Given.transform(({ seconds, rounds, ...given }) => ({
  ...given,
  seconds: seconds ?? (given.open ? 60 : given.check ? 2 : 5),
  rounds: rounds ?? (given.check ? 5 : 3),
}));

export type BenchOptions = z.infer<typeof Options>;

const usage = `Usage: npm run bench [-- OPTIONS]
  --seconds N      load of each contender in each round (default: 5; with --check 2), or of --open (default: 60)
  --rounds N       (default: 3; with --check 5)
  --connections N  (default: 32)
  --pairs N        also time N requests about known and N about unknown addresses
  --peers FOLDER   also measure the peers in FOLDER; needs DATABASE_URL and REDIS_URL, and 95
                   connections to Postgres
  --people N       signed-in people, each with an IP address (default: 10000); fewer than 1000 reach
                   their rate limits
  --json FILE      also write the result to FILE
  --check          instead fail if a ratio or a size of a bundle is worse than in dev/bench/ratios.json;
                   takes 5 minutes, or 10 if a value is in doubt and measured again
  --write          with --check: write what was measured to dev/bench/ratios.json
  --open           instead send calls at a fixed rate, a realistic mix, and measure from the time each was due
  --rate N         calls a second (default: 1000)`;

export class UsageError extends Error {}

export function readOptions(args: string[], env: Record<string, string | undefined>): BenchOptions {
  const flags = ["open", "check", "write"];
  const names = Object.keys(Given.shape).map((name) => {
    const type = flags.includes(name) ? ("boolean" as const) : ("string" as const);
    return [name, { type }] as const;
  });
  try {
    const { values } = parseArgs({ args, options: Object.fromEntries(names) });
    const options = Options.parse(values);
    requireCombination(options, env);
    return options;
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new UsageError(`${reason}\n${usage}`);
  }
}

function requireCombination(options: BenchOptions, env: Record<string, string | undefined>): void {
  const { open, check, write, peers, pairs, people, connections } = options;
  const other = Object.entries({ open, peers, pairs }).find(([, value]) => value)?.[0];
  if (check && other) throw new Error(`--check cannot be used with --${other}.`);
  if (check && Boolean(env.DATABASE_URL) !== Boolean(env.REDIS_URL))
    throw new Error("--check needs both of DATABASE_URL and REDIS_URL, or neither.");
  if (write && !check) throw new Error("--write needs --check.");
  if (peers && !(env.DATABASE_URL && env.REDIS_URL))
    throw new Error("--peers needs DATABASE_URL and REDIS_URL.");
  if (!open && people < connections) throw new Error("--people must be at least --connections.");
}
