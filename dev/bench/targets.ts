import type { Likeness } from "./likeness.js";
import type { BenchResult, Verdict } from "./result.js";

interface Target {
  target: string;
  atMost?: number;
  atLeast?: number;
  measured(result: Omit<BenchResult, "verdicts">): number | undefined;
}

const targets: Target[] = [
  {
    target: "GET /api/user: CPU at most 2 x the bare function's",
    atMost: 2,
    measured: (result) => ratio(result, "GET /api/user", "bare")?.cpu,
  },
  {
    target: "GET /api/user: at least 1.5 x the peer's requests a second",
    atLeast: 1.5,
    measured: (result) => ratio(result, "GET /api/user", "peer")?.perSecond,
  },
  {
    target: "GET /api/user: CPU at most 1.1 x what it is without request events",
    atMost: 1.1,
    measured: (result) => ratio(result, "GET /api/user", "without events")?.cpu,
  },
  {
    target: "POST /api/auth/login: at least 0.7 x bare argon2's verifications a second",
    atLeast: 0.7,
    measured: (result) => ratio(result, "POST /api/auth/login", "bare argon2")?.perSecond,
  },
  {
    target: "POST /api/auth/refresh: CPU at most 2 x the bare function's",
    atMost: 2,
    measured: (result) => ratio(result, "POST /api/auth/refresh", "bare")?.cpu,
  },
  {
    target: "GET /api/user, bad token: at most 1000 µs of CPU",
    atMost: 1000,
    measured: (result) => row(result, "GET /api/user, bad token", "ours")?.cpuUs,
  },
  {
    target: "POST /api/auth/refresh, bad token: at most 1000 µs of CPU",
    atMost: 1000,
    measured: (result) => row(result, "POST /api/auth/refresh, bad token", "ours")?.cpuUs,
  },
  {
    target: "GET /api/user over HTTP: at least 1000 requests a second",
    atLeast: 1000,
    measured: (result) => row(result, "GET /api/user over HTTP", "ours")?.perSecond,
  },
  {
    target: "GET /api/user over HTTP: P95 at most 100 ms",
    atMost: 100,
    measured: (result) => row(result, "GET /api/user over HTTP", "ours")?.p95Ms,
  },
  {
    target: "known and unknown addresses: AUC of the times at most 0.55 from either side",
    atMost: 0.55,
    measured: ({ likeness }) => farthest(likeness.filter(({ isControl }) => !isControl)),
  },
  {
    target: "the control that tells them apart: AUC at least 0.75",
    atLeast: 0.75,
    measured: ({ likeness }) => farthest(likeness.filter(({ isControl }) => isControl)),
  },
  {
    target: "the server's peak RSS: at most 256 MB",
    atMost: 256,
    measured: ({ peakRssBytes }) =>
      peakRssBytes === undefined ? undefined : peakRssBytes / 2 ** 20,
  },
  {
    target: "the largest function: loads in at most 80 ms of CPU",
    atMost: 80,
    measured: ({ coldStart }) => coldStart.loadCpuMs,
  },
  {
    target: "no request failed",
    atMost: 0,
    measured: ({ rows }) => rows.reduce((sum, { failures }) => sum + failures, 0),
  },
];

/** Hold a run against every target. */
export function judge(result: Omit<BenchResult, "verdicts">): Verdict[] {
  return targets.map(({ target, atMost, atLeast, measured: find }) => {
    const measured = find(result);
    if (measured === undefined) return { target, measured, outcome: "not measured" };
    const isMet = measured <= (atMost ?? measured) && measured >= (atLeast ?? measured);
    return { target, measured, outcome: isMet ? "PASS" : "MISS" };
  });
}

/** The AUC that tells most, as it would be the other way round. */
function farthest(likeness: Likeness[]): number | undefined {
  const sides = likeness.map(({ auc }) => Math.max(auc, 1 - auc));
  return sides.length === 0 ? undefined : Math.max(...sides);
}

type Found = Pick<BenchResult, "rows" | "ratios">;

function ratio({ ratios }: Found, caseName: string, to: string) {
  return ratios.find((entry) => entry.caseName === caseName && entry.to === to);
}

function row({ rows }: Found, caseName: string, contender: string) {
  return rows.find((entry) => entry.caseName === caseName && entry.contender === contender);
}
