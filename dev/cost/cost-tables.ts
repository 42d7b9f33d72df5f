import { prices } from "./prices.js";
import {
  assumptions,
  type Bill,
  billOf,
  breakEvenPerSecond,
  eventCommands,
  type Use,
  uses,
} from "./request-cost.js";

const steps = [10, 1000, 100_000];

/** The tables of docs/cost.md, by the name of their place. */
export function costTables(): Record<string, string> {
  return { "per request": perRequest(), bills: bills(), plans: plans(), prices: pricesTable() };
}

function perRequest(): string {
  const { vercel, upstash } = prices;
  const row = (name: string, { redisCommands, statements, cpuMicroseconds }: Use) => {
    const commands = redisCommands + eventCommands;
    const redis = commands * 10 * upstash.per100kCommands;
    const cpu = (cpuMicroseconds / 3600) * vercel.activeCpuHour;
    const each = [redis, cpu, vercel.perMillionInvocations];
    return [
      name,
      number(commands),
      number(statements),
      number(cpuMicroseconds),
      ...each.map(dollars),
      dollars(each.reduce((sum, value) => sum + value)),
    ];
  };
  return table([
    [
      "a million of",
      "commands each",
      "statements each",
      "CPU µs each",
      "Redis",
      "CPU",
      "calls",
      "together",
    ],
    row("signed-in reads", uses.read),
    row("sign-ins", uses.signIn),
  ]);
}

function bills(): string {
  const found = steps.map((perSecond) => billOf(perSecond));
  const row = (name: string, tell: (bill: Bill) => string) => [name, ...found.map(tell)];
  const functions = (bill: Bill) => bill.activeCpu + bill.memory + bill.invocations;
  const cheapest = (bill: Bill) =>
    bill.redisFixed === null
      ? "none fits"
      : dollars(functions(bill) + neonOf(bill) + bill.redisFixed.month);
  return table([
    ["a month at", ...steps.map((perSecond) => `${number(perSecond)} req/s`)],
    row("Redis commands a second", (bill) => number(bill.commandsPerSecond)),
    row("Redis, pay as you go", (bill) => dollars(bill.redisPayAsYouGo)),
    row("Redis, cheapest fixed plan", ({ redisFixed }) =>
      redisFixed === null
        ? `over ${number(prices.upstash.commandsPerSecondMax)} commands/s`
        : `${dollars(redisFixed.month)} (${redisFixed.name})`,
    ),
    row("SQL statements a second", (bill) => number(bill.statementsPerSecond)),
    row("Postgres compute units", (bill) => number(bill.computeUnits)),
    row("Neon Launch", (bill) =>
      bill.computeUnits > prices.neon.autoscalingCuMax ? "too small" : dollars(bill.neonLaunch),
    ),
    row("Neon Scale", (bill) => dollars(bill.neonScale)),
    row("cores busy, instances", (bill) => `${number(bill.cores)}, ${number(bill.instances)}`),
    row("Vercel active CPU", (bill) => dollars(bill.activeCpu)),
    row("Vercel memory, at most", (bill) => dollars(bill.memory)),
    row("Vercel invocations", (bill) => dollars(bill.invocations)),
    row("**all, Redis as you go**", (bill) =>
      dollars(functions(bill) + neonOf(bill) + bill.redisPayAsYouGo),
    ),
    row("**all, Redis fixed**", cheapest),
  ]);
}

/** Launch, where it is large enough. */
function neonOf(bill: Bill): number {
  return bill.computeUnits > prices.neon.autoscalingCuMax ? bill.neonScale : bill.neonLaunch;
}

function plans(): string {
  return table([
    ["Upstash plan", "a month", "traffic", "cheaper from"],
    ...prices.upstash.fixed.map(({ name, month, trafficGb }) => [
      `fixed ${name}`,
      dollars(month),
      `${number(trafficGb)} GB`,
      `${number(breakEvenPerSecond(month))} req/s`,
    ]),
  ]);
}

function pricesTable(): string {
  const { vercel, upstash, neon } = prices;
  const { statementsPerCu, coreShare, instanceMemoryGb } = assumptions;
  const check = {
    vercel: "https://vercel.com/docs/functions/usage-and-pricing",
    upstash: "https://upstash.com/pricing/redis",
    neon: "https://neon.com/docs/introduction/plans",
    measure: "to be measured on your own plan",
  };
  return table([
    ["assumed", `on ${prices.readOn}`, "where to check"],
    ["Vercel active CPU, hour (iad1)", `$${vercel.activeCpuHour}`, check.vercel],
    ["Vercel memory, GB-hour (iad1)", `$${vercel.memoryGbHour}`, check.vercel],
    ["Vercel invocations, million", `$${vercel.perMillionInvocations.toFixed(2)}`, check.vercel],
    ["Upstash, 100,000 commands", `$${upstash.per100kCommands.toFixed(2)}`, check.upstash],
    [
      "Upstash, GB of traffic",
      `$${upstash.trafficGb.toFixed(2)} after ${upstash.freeTrafficGb}`,
      check.upstash,
    ],
    ["Upstash, commands a second", number(upstash.commandsPerSecondMax), check.upstash],
    ["Neon Launch, CU-hour", `$${neon.launchCuHour}`, check.neon],
    ["Neon Scale, CU-hour", `$${neon.scaleCuHour}`, check.neon],
    ["Neon, largest that scales by itself", `${neon.autoscalingCuMax} CU`, check.neon],
    ["statements a second of one CU", number(statementsPerCu), check.measure],
    ["share of a core that may be busy", `${coreShare * 100} %`, check.measure],
    ["memory of an instance", `${instanceMemoryGb} GB`, check.measure],
  ]);
}

function dollars(value: number): string {
  return `$${value < 100 ? value.toFixed(2) : number(Math.round(value))}`;
}

function number(value: number): string {
  const digits = value < 100 ? 2 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** As the formatter lays it out: the first column to the left, the others to the right. */
function table([head = [], ...rows]: string[][]): string {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => padded(cell, column, widths[column] ?? 0)).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function padded(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
