import { prices } from "./prices.js";

/** What one request uses, including its work after the reply. */
export interface Use {
  /** As billed: also those inside scripts. */
  redisCommands: number;
  /** Sent and received, without HTTP headers. */
  redisBytes: number;
  statements: number;
  /** Of a function that reaches both stores over HTTP. */
  cpuMicroseconds: number;
}

/**
 * A signed-in read (`GET /api/user`) and a sign-in. Tests compare the calls and bytes; the CPU time is
 * what `npm run bench` measured on a development machine with 2 cores, rounded up.
 */
export const uses = {
  read: { redisCommands: 8, redisBytes: 1000, statements: 1, cpuMicroseconds: 700 },
  signIn: { redisCommands: 22, redisBytes: 5500, statements: 3, cpuMicroseconds: 14_000 },
} as const satisfies Record<string, Use>;

/** The maximum for each request, because events are sent in batches. */
export const eventCommands = 0.1;

/** The commands, and the statements, of the cron jobs in a minute: a tick, its drain, its alerts. */
const cronCallsPerMinute = 20;

/** Not measured. */
export const assumptions = {
  /** Simple statements a second that one CU of Neon executes at half of its capacity. */
  statementsPerCu: 2000,
  smallestCu: 0.25,
  coreShare: 0.7,
  instanceMemoryGb: 2,
};

const hoursPerMonth = (365.25 / 12) * 24;
const commandsPerRead = uses.read.redisCommands + eventCommands;
const cronCommandsPerMonth = cronCallsPerMinute * 60 * hoursPerMonth;

/** What a month of reads at a constant rate uses, and its cost in dollars. Only Upstash's free traffic is deducted. */
export function billOf(perSecond: number) {
  const { vercel, upstash, neon } = prices;
  const { redisBytes, statements, cpuMicroseconds } = uses.read;
  const perMonth = perSecond * 3600 * hoursPerMonth;
  const commandsPerSecond = perSecond * commandsPerRead;
  const commands = perMonth * commandsPerRead + cronCommandsPerMonth;
  const trafficGb = (perMonth * redisBytes) / 1e9;
  const billedGb = Math.max(0, trafficGb - upstash.freeTrafficGb);
  const isWithinPlans = commandsPerSecond <= upstash.commandsPerSecondMax;
  const statementsPerSecond = perSecond * statements + cronCallsPerMinute / 60;
  const quarters = Math.ceil((statementsPerSecond / assumptions.statementsPerCu) * 4);
  const computeUnits = Math.max(assumptions.smallestCu, quarters / 4);
  const cores = (perSecond * cpuMicroseconds) / 1e6;
  const instances = Math.ceil(cores / assumptions.coreShare);
  const memoryGb = instances * assumptions.instanceMemoryGb;
  return {
    commandsPerSecond,
    redisPayAsYouGo: (commands / 100_000) * upstash.per100kCommands + billedGb * upstash.trafficGb,
    /** The cheapest fixed plan for this traffic. Null if no plan allows so many commands a second. */
    redisFixed:
      (isWithinPlans && upstash.fixed.find((plan) => plan.trafficGb >= trafficGb)) || null,
    statementsPerSecond,
    computeUnits,
    neonLaunch: computeUnits * hoursPerMonth * neon.launchCuHour,
    neonScale: computeUnits * hoursPerMonth * neon.scaleCuHour,
    cores,
    instances,
    activeCpu: cores * hoursPerMonth * vercel.activeCpuHour,
    /** The maximum: as if all instances ran for the whole month. */
    memory: memoryGb * hoursPerMonth * vercel.memoryGbHour,
    invocations: (perMonth / 1e6) * vercel.perMillionInvocations,
  };
}

/** The rate of reads above which a fixed plan costs less than payment by command, without the cost of traffic. */
export function breakEvenPerSecond(planMonth: number): number {
  const commands = (planMonth / prices.upstash.per100kCommands) * 100_000 - cronCommandsPerMonth;
  return commands / (3600 * hoursPerMonth) / commandsPerRead;
}
