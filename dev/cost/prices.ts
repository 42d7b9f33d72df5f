/**
 * List prices in US dollars, as they were on the date below. Each names where to check it; none of them
 * is ours to promise.
 */
export const prices = {
  readOn: "2026-11-25",
  vercel: {
    /** Pro, region iad1. https://vercel.com/docs/functions/usage-and-pricing */
    activeCpuHour: 0.128,
    memoryGbHour: 0.0106,
    perMillionInvocations: 0.6,
  },
  upstash: {
    /** https://upstash.com/pricing/redis */
    per100kCommands: 0.2,
    freeTrafficGb: 200,
    trafficGb: 0.03,
    /** Each by the data that it holds, with the traffic of a month; all take as many commands a second. */
    fixed: [
      { name: "250 MB", trafficGb: 50, month: 10 },
      { name: "1 GB", trafficGb: 100, month: 20 },
      { name: "5 GB", trafficGb: 500, month: 100 },
      { name: "10 GB", trafficGb: 1000, month: 200 },
      { name: "50 GB", trafficGb: 5000, month: 400 },
      { name: "100 GB", trafficGb: 10_000, month: 800 },
      { name: "500 GB", trafficGb: 20_000, month: 1500 },
    ],
    commandsPerSecondMax: 10_000,
  },
  neon: {
    /** Launch, and Scale. https://neon.com/docs/introduction/plans */
    launchCuHour: 0.106,
    scaleCuHour: 0.222,
    /** The largest compute that scales by itself, and the largest of a fixed size. */
    autoscalingCuMax: 16,
    fixedCuMax: 56,
  },
} as const;
