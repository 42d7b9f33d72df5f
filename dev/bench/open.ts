import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median } from "simple-statistics";
import { seriesName } from "../../lib/observability/metrics.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { endWithThisProcess } from "./child.js";
import type { CleanUp } from "./clean-up.js";
import type { OpenLoopResult } from "./open-loop.js";
import { type LoadLogin, mixRoutes } from "./open-mix.js";
import type { BenchOptions } from "./options.js";
import {
  addressOf,
  createAccounts,
  password,
  type SignedInPerson,
  type Sql,
  signUp,
} from "./people.js";
import { judged, type Verdict } from "./report.js";
import { type Server, startServer } from "./server.js";
import { buildStage, programs } from "./stage.js";
import { openBenchStores } from "./stores.js";

/** What the load process reads. */
export interface OpenLoad {
  url: string;
  seconds: number;
  rate: number;
  people: SignedInPerson[];
  logins: LoadLogin[];
}

export interface OpenResult extends OpenLoopResult {
  environment: string;
  rssMb: { start: number; median: number; end: number; peak: number };
  cpuShare: number;
  telemetry: { calls: number; recorded: number; lostBatches: number };
}

/** A fixed rate of a realistic mix, from one IP address for each person through TRUSTED_PROXIES, with all limits on. */
export async function benchOpenLoop(
  { rate, people: count, seconds }: BenchOptions,
  cleanUp: CleanUp,
  log: (progress: string) => void,
): Promise<OpenResult> {
  log("Build");
  const stage = await buildStage(cleanUp);
  const stores = await openBenchStores(stage.stores, cleanUp);
  const opsToken = randomBytes(32).toString("base64url");
  const server = await startServer(
    {
      args: ["--max-old-space-size=256", programs.server],
      folder: stage.ours.folder,
      env: {
        NODE_ENV: "production",
        JWT_SECRET: randomBytes(48).toString("base64"),
        TRUSTED_PROXIES: "127.0.0.1",
        OPS_TOKEN: opsToken,
        // A closed port: the bench connects to no other machine.
        EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
        ...stores.env,
      },
      probe: { path: "/api/livez" },
    },
    cleanUp,
  );
  const { sql, close } = connectForMigrations(stores.endpoints.postgres);
  cleanUp.later(close);

  log(`Sign-up of ${count} people`);
  const people = await signUp(server.url, count);
  const emails = await createAccounts(sql, Math.ceil(seconds * rate * 0.015));
  const logins = emails.map((email, index) => ({
    body: JSON.stringify({ email, password, device: { id: `bench-device-${index}` } }),
    address: addressOf(count + index),
  }));
  const drain = () => drainTelemetry(server, opsToken);
  await drain();
  const before = await recorded(sql);

  log(`${rate} calls a second for ${seconds} s`);
  const load: OpenLoad = { url: server.url, seconds, rate, people, logins };
  const startCpu = server.usage().cpuMs;
  const startedAt = performance.now();
  const rss: number[] = [server.usage().rssMb];
  const sampling = setInterval(() => rss.push(server.usage().rssMb), 1000);
  sampling.unref();
  const result = await runLoad(join(stage.folder, "open-load.json"), load);
  clearInterval(sampling);
  const cpuShare = (server.usage().cpuMs - startCpu) / (performance.now() - startedAt);
  await drain();
  const after = await recorded(sql);
  return {
    environment: `${stores.description}, Node.js ${process.versions.node}`,
    ...result,
    cpuShare,
    rssMb: {
      start: rss[0] ?? Number.NaN,
      median: median(rss),
      end: rss.at(-1) ?? Number.NaN,
      peak: server.usage().peakRssMb,
    },
    telemetry: {
      calls: result.latencies.all?.calls ?? 0,
      recorded: after.events - before.events,
      lostBatches: after.lostBatches - before.lostBatches,
    },
  };
}

/** The targets of the operations guide. */
export function judgeOpenLoop({ latencies, errors, rssMb, telemetry }: OpenResult): Verdict[] {
  const { p95Ms = Number.NaN, p99Ms = Number.NaN } = latencies.all ?? {};
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  return judged([
    ["P95 ms", p95Ms, "<=", 500],
    ["P99 ms", p99Ms, "<=", 1000],
    ["peak RSS: MB", rssMb.peak, "<=", 512],
    ["calls with another reply than the mix expects", failed, "<=", 0],
    ["calls without a recorded event", telemetry.calls - telemetry.recorded, "<=", 0],
    ["lost batches of events", telemetry.lostBatches, "<=", 0],
  ]);
}

/** In another process, which only sends. */
async function runLoad(file: string, load: OpenLoad): Promise<OpenLoopResult> {
  await writeFile(file, JSON.stringify(load));
  const program = fileURLToPath(new URL("open-program.ts", import.meta.url));
  const args = ["--import", "tsx", program, file];
  const running = promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  endWithThisProcess(running.child);
  await running;
  return JSON.parse(await readFile(`${file}.result`, "utf8"));
}

async function drainTelemetry(server: Server, opsToken: string): Promise<void> {
  // Events are sent at most 250 ms after their request.
  await sleep(1000);
  for (let isComplete = false; !isComplete; ) {
    const reply = await fetch(`${server.url}/api/ops/drain`, {
      method: "POST",
      headers: { authorization: `Bearer ${opsToken}`, "content-type": "application/json" },
      body: JSON.stringify({ reason: "bench" }),
    });
    if (reply.status !== 200) throw new Error(`The drain replied ${reply.status}.`);
    const { detail } = (await reply.json()) as { detail: { isComplete: boolean } };
    isComplete = detail.isComplete;
  }
}

/** Of the routes of the mix: the drain and the crons record events too. */
async function recorded(sql: Sql): Promise<{ events: number; lostBatches: number }> {
  const sum = async (series: string, routes: string) => {
    const [row] = await sql`select coalesce(sum(value), 0)::int as total
      from telemetry_minutes where starts_with(series, ${series}) and series ~ ${routes}`;
    return Number(row?.total);
  };
  return {
    events: await sum("http_requests_total{", `route="(${mixRoutes.join("|")})"`),
    lostBatches: await sum(seriesName("telemetry_lost_batches_total"), ""),
  };
}
