import { prices } from "./prices.js";

/** What one request uses, those parts included that follow its reply. */
export interface Use {
  /** Billed commands, those inside scripts counted apart. */
  redisCommands: number;
  /** Sent and received, its event included, without the headers of HTTP. */
  redisBytes: number;
  statements: number;
  /** Of a function that reaches both stores over HTTP. */
  cpuMicroseconds: number;
}

/**
 * A signed-in read (`GET /api/user`) and a sign-in. Commands and statements are what tests hold; CPU was
 * measured by `npm run bench` on a development machine of 2 cores, and is rounded up.
 */
export const uses = {
  read: { redisCommands: 8, redisBytes: 1000, statements: 1, cpuMicroseconds: 700 },
  signIn: { redisCommands: 25, redisBytes: 5500, statements: 3, cpuMicroseconds: 14_000 },
} as const satisfies Record<string, Use>;

/** Events are sent in batches: a tenth of a command a request, at most. */
export const eventCommands = 0.1;

/** What the clock does each minute however many requests there are: a tick, its drain, its alerts. */
const clock = { redisCommands: 20, statements: 20 };

/** What is assumed and nobody has measured here. */
export const assumptions = {
  /** Simple statements a second that one CU of Neon answers at half of its capacity. */
  statementsPerCu: 2000,
  smallestCu: 0.25,
  /** How much of a function's core may be busy. */
  coreShare: 0.7,
  instanceMemoryGb: 2,
};

const secondsPerMonth = (365.25 / 12) * 86_400;
const hoursPerMonth = secondsPerMonth / 3600;
const minutesPerMonth = secondsPerMonth / 60;

export interface Bill {
  commandsPerSecond: number;
  redisPayAsYouGo: number;
  /** The cheapest fixed plan that carries the traffic; null where none takes so many commands a second. */
  redisFixed: { name: string; month: number } | null;
  statementsPerSecond: number;
  computeUnits: number;
  neonLaunch: number;
  neonScale: number;
  cores: number;
  instances: number;
  activeCpu: number;
  /** As if every instance ran all month, which is the most that it can be. */
  memory: number;
  invocations: number;
}

/** What reads cost a month in dollars, at so many a second all day; what plans include is not deducted. */
export function billOf(perSecond: number, use: Use = uses.read): Bill {
  const { vercel, upstash, neon } = prices;
  const perMonth = perSecond * secondsPerMonth;
  const eachCommands = use.redisCommands + eventCommands;
  const commandsPerSecond = perSecond * eachCommands;
  const commands = perMonth * eachCommands + clock.redisCommands * minutesPerMonth;
  const statementsPerSecond = perSecond * use.statements + clock.statements / 60;
  const needed = statementsPerSecond / assumptions.statementsPerCu;
  const computeUnits = Math.max(assumptions.smallestCu, Math.ceil(needed * 4) / 4);
  const cores = (perSecond * use.cpuMicroseconds) / 1e6;
  const instances = Math.ceil(cores / assumptions.coreShare);
  const trafficGb = (perMonth * use.redisBytes) / 1e9;
  const billedGb = Math.max(0, trafficGb - upstash.freeTrafficGb);
  const fits = commandsPerSecond <= upstash.commandsPerSecondMax;
  const memoryHours = instances * assumptions.instanceMemoryGb * hoursPerMonth;
  return {
    commandsPerSecond,
    redisPayAsYouGo: (commands / 100_000) * upstash.per100kCommands + billedGb * upstash.trafficGb,
    redisFixed: (fits && upstash.fixed.find((plan) => plan.trafficGb >= trafficGb)) || null,
    statementsPerSecond,
    computeUnits,
    neonLaunch: computeUnits * hoursPerMonth * neon.launchCuHour,
    neonScale: computeUnits * hoursPerMonth * neon.scaleCuHour,
    cores,
    instances,
    activeCpu: cores * hoursPerMonth * vercel.activeCpuHour,
    memory: memoryHours * vercel.memoryGbHour,
    invocations: (perMonth / 1e6) * vercel.perMillionInvocations,
  };
}

/** From how many reads a second a fixed plan costs less than paying by the command. */
export function breakEvenPerSecond(planMonth: number): number {
  const commands = (planMonth / prices.upstash.per100kCommands) * 100_000;
  const eachCommands = uses.read.redisCommands + eventCommands;
  return (commands - clock.redisCommands * minutesPerMonth) / secondsPerMonth / eachCommands;
}
