import { writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { startResendEndpoint } from "../mailbox/resend-endpoint.js";
import { bundleSizes } from "./bundles.js";
import { asksOf, contendersOf } from "./cases.js";
import {
  compare,
  comparedContenders,
  keptValuesOf,
  problemsOf,
  readKept,
  writeKept,
} from "./check.js";
import { CleanUp, exitAfterCleanUp } from "./clean-up.js";
import { measureColdStart } from "./cold-start.js";
import { benchOpenLoop, judgeOpenLoop } from "./open.js";
import { type BenchOptions, readOptions, UsageError } from "./options.js";
import { startPeers } from "./peers.js";
import { createAccounts, signUp } from "./people.js";
import { type BenchResult, judge, printReport, printTables } from "./report.js";
import { type Row, runRounds } from "./rounds.js";
import { startServers } from "./servers.js";
import { buildStage } from "./stage.js";
import { openBenchStores } from "./stores.js";
import { measureTimings } from "./timing.js";

const cleanUp = new CleanUp();
const log = (progress: string) => console.error(progress);
exitAfterCleanUp(cleanUp, log);

try {
  const options = readOptions(process.argv.slice(2), process.env);
  const run = options.open ? runOpen : options.check ? runCheck : runClosed;
  const result = await run(options);
  if (options.json) await writeFile(options.json, JSON.stringify(result, null, 2));
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 1;
} finally {
  await cleanUp.run(log);
}

async function runOpen(options: BenchOptions) {
  const result = await benchOpenLoop(options, cleanUp, log);
  const verdicts = judgeOpenLoop(result);
  const { environment, latencies, errors, rssMb, telemetry, cpuShare } = result;
  console.log(`${environment}. The server used ${Math.round(100 * cpuShare)} % of a processor.`);
  printTables({
    "Latencies from the time each call was due": latencies,
    Sender: { meanLateMs: result.meanLateMs, maxLateMs: result.maxLateMs },
    Errors: errors,
    "RSS of the server, MB": rssMb,
    Telemetry: telemetry,
    Targets: verdicts,
  });
  return { ...result, verdicts };
}

async function runClosed(options: BenchOptions) {
  const result = await runBench(options);
  printReport(result);
  return { ...result, verdicts: judge(result) };
}

async function runCheck(options: BenchOptions) {
  const load = loadavg()[0] ?? 0;
  const stores = process.env.DATABASE_URL ? "real stores" : "embedded stores";
  const kept = options.write ? {} : await readKept(stores);
  const { contenders, bundles, environment } = await prepare(options);
  const isInDoubt = (rows: Row[]) =>
    compare({ rows, bundles }, kept).some(
      ({ verdict }) => verdict === "LOST" || verdict === "not measured",
    );
  const rows = await runRounds(comparedContenders(contenders), options, log, isInDoubt);
  const comparisons = compare({ rows, bundles }, kept);
  console.log(`${environment}.`);
  if (options.write) {
    await writeKept(stores, keptValuesOf({ rows, bundles }));
    console.log("dev/bench/ratios.json was written.");
    return { environment, rows, bundles };
  }
  printTables({ [`Compared with dev/bench/ratios.json, ${stores}`]: comparisons });
  const problems = problemsOf(comparisons);
  if (problems.length > 0) {
    for (const problem of problems) console.error(problem);
    if (load > availableParallelism())
      console.error(`Other programs may be the reason: the load average was ${load.toFixed(1)}.`);
    process.exitCode = 1;
  }
  return { environment, rows, bundles, comparisons };
}

async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { stage, servers, contenders, sql, ...prepared } = await prepare(options);
  log("Cold starts");
  const coldStart = await measureColdStart(servers.program, stage.ours, cleanUp);
  const rows = await runRounds(contenders, options, log);
  const mail = await startResendEndpoint("re_bench");
  cleanUp.later(mail.close);
  const timings = options.pairs
    ? await measureTimings(servers, await servers.startWithMail(mail), sql, options.pairs, log)
    : {};
  const peakRssMb = servers.ours.usage().peakRssMb;
  return { ...prepared, options, rows, coldStart, peakRssMb, timings };
}

async function prepare(options: BenchOptions) {
  log("Build");
  const stage = await buildStage(cleanUp);
  const stores = await openBenchStores(stage.stores, cleanUp);
  log("Start of the servers");
  const servers = await startServers(stage, stores, cleanUp);
  const peersFolder = join(stage.folder, "peers");
  const peers = options.peers
    ? await startPeers(options.peers, peersFolder, stores.peerEnv, cleanUp)
    : [];
  const { sql, close } = connectForMigrations(stores.endpoints.postgres);
  cleanUp.later(close);
  log(`Sign-up of ${options.people} people`);
  const people = await signUp(servers.ours.url, options.people);
  // So many that a round hardly ever ends an older session of the same account.
  const asks = asksOf(servers, await createAccounts(sql, 256));
  return {
    stage,
    servers,
    sql,
    contenders: contendersOf(asks, servers, people, peers),
    bundles: bundleSizes(stage.ours.functions),
    environment: `${stores.description}, Node.js ${process.versions.node}, ${availableParallelism()} CPUs`,
  };
}
