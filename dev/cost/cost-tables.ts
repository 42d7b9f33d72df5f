import { markdownTable } from "markdown-table";
import { prices } from "./prices.js";
import {
  assumptions,
  billOf,
  breakEvenPerSecond,
  eventCommands,
  type Use,
  uses,
} from "./request-cost.js";

const { vercel, upstash, neon } = prices;

/** The tables of docs/cost.md, by the name of their place. */
export function costTables(): Record<string, string> {
  return { "per request": perRequest(), bills: bills(), plans: plans(), prices: pricesTable() };
}

function perRequest(): string {
  const row = (name: string, { redisCommands, statements, cpuMicroseconds }: Use) => {
    const commands = redisCommands + eventCommands;
    const redis = commands * 10 * upstash.per100kCommands;
    const cpu = (cpuMicroseconds / 3600) * vercel.activeCpuHour;
    const calls = vercel.perMillionInvocations;
    const amounts = [redis, cpu, calls, redis + cpu + calls].map(dollars);
    return [name, ...[commands, statements, cpuMicroseconds].map(number), ...amounts];
  };
  return table(
    "a million of|commands each|statements each|CPU µs each|Redis|CPU|calls|total",
    row("signed-in reads", uses.read),
    row("sign-ins", uses.signIn),
  );
}

type Bill = ReturnType<typeof billOf>;

function bills(): string {
  const bills = [10, 1000, 100_000].map((perSecond) => billOf(perSecond));
  const row = (name: string, cell: (bill: Bill) => string) => [name, ...bills.map(cell)];
  const allowsLaunch = (bill: Bill) => bill.computeUnits <= neon.autoscalingCuMax;
  const withoutRedis = (bill: Bill) =>
    bill.activeCpu +
    bill.memory +
    bill.invocations +
    (allowsLaunch(bill) ? bill.neonLaunch : bill.neonScale);
  return table(
    "a month at|10 req/s|1,000 req/s|100,000 req/s",
    row("Redis commands a second", (bill) => number(bill.commandsPerSecond)),
    row("Redis, pay as you go", (bill) => dollars(bill.redisPayAsYouGo)),
    row("Redis, cheapest fixed plan", ({ redisFixed }) =>
      redisFixed
        ? `${dollars(redisFixed.month)} (${redisFixed.name})`
        : `over ${number(upstash.commandsPerSecondMax)} commands/s`,
    ),
    row("SQL statements a second", (bill) => number(bill.statementsPerSecond)),
    row("Postgres compute units", (bill) => number(bill.computeUnits)),
    row("Neon Launch", (bill) => (allowsLaunch(bill) ? dollars(bill.neonLaunch) : "too small")),
    row("Neon Scale", (bill) => dollars(bill.neonScale)),
    row("cores busy, instances", (bill) => `${number(bill.cores)}, ${number(bill.instances)}`),
    row("Vercel active CPU", (bill) => dollars(bill.activeCpu)),
    row("Vercel memory, at most", (bill) => dollars(bill.memory)),
    row("Vercel invocations", (bill) => dollars(bill.invocations)),
    row("**all, Redis as you go**", (bill) => dollars(withoutRedis(bill) + bill.redisPayAsYouGo)),
    row("**all, Redis fixed**", (bill) =>
      bill.redisFixed ? dollars(withoutRedis(bill) + bill.redisFixed.month) : "no plan fits",
    ),
  );
}

function plans(): string {
  return table(
    "Upstash plan|a month|traffic|cheaper from",
    ...upstash.fixed.map(({ name, month, trafficGb }) => [
      ...[`fixed ${name}`, dollars(month), `${number(trafficGb)} GB`],
      `${number(breakEvenPerSecond(month))} req/s`,
    ]),
  );
}

function pricesTable(): string {
  const { statementsPerCu, coreShare, instanceMemoryGb } = assumptions;
  const traffic = `$${upstash.trafficGb} after ${upstash.freeTrafficGb}`;
  const vercelPage = "https://vercel.com/docs/functions/usage-and-pricing";
  const upstashPage = "https://upstash.com/pricing/redis";
  const neonPage = "https://neon.com/docs/introduction/plans";
  const measure = "measure it on your own plan";
  return table(
    `assumed|on ${prices.readOn}|where to check`,
    ["Vercel active CPU, hour (iad1)", `$${vercel.activeCpuHour}`, vercelPage],
    ["Vercel memory, GB-hour (iad1)", `$${vercel.memoryGbHour}`, vercelPage],
    ["Vercel invocations, million", dollars(vercel.perMillionInvocations), vercelPage],
    ["Upstash, 100,000 commands", dollars(upstash.per100kCommands), upstashPage],
    ["Upstash, GB of traffic", traffic, upstashPage],
    ["Upstash, commands a second", number(upstash.commandsPerSecondMax), upstashPage],
    ["Neon Launch, CU-hour", `$${neon.launchCuHour}`, neonPage],
    ["Neon Scale, CU-hour", `$${neon.scaleCuHour}`, neonPage],
    ["Neon, largest automatic size", `${neon.autoscalingCuMax} CU`, neonPage],
    ["statements a second of one CU", number(statementsPerCu), measure],
    ["largest busy share of a core", `${coreShare * 100} %`, measure],
    ["memory of an instance", `${instanceMemoryGb} GB`, measure],
  );
}

function dollars(value: number): string {
  return `$${value < 100 ? value.toFixed(2) : number(value)}`;
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

function table(head: string, ...rows: string[][]): string {
  const cells = [head.split("|"), ...rows];
  return markdownTable(cells, {
    align: cells[0]?.map((_, column) => (column === 0 ? "" : "r")) ?? [],
  });
}
