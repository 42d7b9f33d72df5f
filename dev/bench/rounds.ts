/** One contender under load for a while. */
export interface Sample {
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  /** CPU time of the server's process a reply, where it can be read. */
  cpuUs: number | undefined;
  /** Errors and replies with another status than the expected one. */
  failures: number;
}

export interface Contender {
  name: string;
  measure(seconds: number): Promise<Sample>;
}

/** Contenders that do the same work; the first is ours. */
export interface BenchCase {
  name: string;
  contenders: Contender[];
}

export interface Measured {
  caseName: string;
  contender: string;
  /** One for each round, in the order of the rounds. */
  samples: Sample[];
}

/**
 * Load every contender of every case once a round, one after another, so that a noisy moment of the
 * machine disturbs neighbours alike. A round before the first one warms them up and is not kept.
 */
export async function runRounds(
  cases: readonly BenchCase[],
  { rounds, seconds }: { rounds: number; seconds: number },
  onRound: (round: number) => void,
): Promise<Measured[]> {
  const entries = cases.flatMap(({ name, contenders }) =>
    contenders.map((contender) => ({
      contender,
      measured: { caseName: name, contender: contender.name, samples: [] as Sample[] },
    })),
  );
  onRound(0);
  for (const { contender } of entries) await contender.measure(seconds);
  for (let round = 1; round <= rounds; round++) {
    onRound(round);
    for (const { contender, measured } of entries) {
      measured.samples.push(await contender.measure(seconds));
    }
  }
  return entries.map(({ measured }) => measured);
}
