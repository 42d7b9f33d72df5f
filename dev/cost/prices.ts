/** List prices in US dollars. `pricesTable` says where to check them. */
export const prices = {
  readOn: "2026-11-25",
  /** Pro, region iad1. */
  vercel: { activeCpuHour: 0.128, memoryGbHour: 0.0106, perMillionInvocations: 0.6 },
  upstash: {
    per100kCommands: 0.2,
    freeTrafficGb: 200,
    trafficGb: 0.03,
    commandsPerSecondMax: 10_000,
    /** Named for the data. The traffic is that of a month. */
    fixed: [
      { name: "250 MB", trafficGb: 50, month: 10 },
      { name: "1 GB", trafficGb: 100, month: 20 },
      { name: "5 GB", trafficGb: 500, month: 100 },
      { name: "10 GB", trafficGb: 1000, month: 200 },
      { name: "50 GB", trafficGb: 5000, month: 400 },
      { name: "100 GB", trafficGb: 10_000, month: 800 },
      { name: "500 GB", trafficGb: 20_000, month: 1500 },
    ],
  },
  neon: { launchCuHour: 0.106, scaleCuHour: 0.222, autoscalingCuMax: 16 },
} as const;
