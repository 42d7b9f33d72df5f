import { availableParallelism } from "node:os";
import process from "node:process";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { type BenchServers, startServers } from "./bench-servers.js";
import { type Asks, asksOf, benchCases } from "./cases.js";
import type { CleanUp } from "./clean-up.js";
import { measureColdStart } from "./cold-start.js";
import { type Likeness, measureLikeness } from "./likeness.js";
import { likeOperations } from "./operations.js";
import type { BenchOptions } from "./options.js";
import { type Peers, startPeers } from "./peers.js";
import { type BenchResult, ratiosOf, rowsOf } from "./result.js";
import { runRounds } from "./rounds.js";
import { prepareStage } from "./stage.js";
import { openCallCounter, type StoreCalls } from "./store-calls.js";
import { type BenchStores, openBenchStores } from "./stores.js";
import { judge } from "./targets.js";

/** Build, serve, load and measure. What is made for the run is noted in `cleanUp`. */
export async function runBench(
  options: BenchOptions,
  cleanUp: CleanUp,
  tell: (progress: string) => void,
): Promise<BenchResult> {
  tell("Building");
  const stage = await prepareStage(process.cwd(), cleanUp);
  const stores = await openBenchStores(process.env, stage.storesFolder, cleanUp);
  tell(`Starting servers over ${stores.descriptions.join(" and ")}`);
  const servers = await startServers(stage, stores, cleanUp);
  const peers = options.peers
    ? await openPeers(options.peers, stage.folder, stores, cleanUp)
    : undefined;

  tell("Cold starts and calls a request");
  const coldStart = await measureColdStart(servers.freshServer, stage.ours);
  const asks = asksOf(servers.person, options.connections);
  const storeCalls = await countStoreCalls(servers, asks, stores);

  const cases = benchCases(asks, servers, peers);
  const measured = await runRounds(cases, options, (round) =>
    tell(round === 0 ? "Warming up" : `Round ${round} of ${options.rounds}`),
  );
  const likeness: Likeness[] = [];
  if (options.pairs > 0) {
    tell(`Timing ${options.pairs} pairs of known and unknown addresses`);
    const { sql, close } = connectForMigrations(stores.endpoints.postgres);
    const mailing = await servers.startWithMail();
    for (const operation of await likeOperations(servers, mailing, sql, options.pairs)) {
      tell(operation.operation);
      likeness.push(await measureLikeness(operation, options.pairs));
    }
    await close();
  }
  const result = {
    at: new Date().toISOString(),
    node: process.versions.node,
    cpus: availableParallelism(),
    stores: stores.descriptions,
    rounds: options.rounds,
    seconds: options.seconds,
    connections: options.connections,
    rows: rowsOf(measured),
    ratios: ratiosOf(measured),
    storeCalls,
    peakRssBytes: servers.ours.usage()?.peakRssBytes,
    coldStart,
    likeness,
    bundleBytes: Object.fromEntries(stage.ours.functions.map(({ file, bytes }) => [file, bytes])),
  };
  return { ...result, verdicts: judge(result) };
}

function openPeers(
  source: string,
  folder: string,
  { peers }: BenchStores,
  cleanUp: CleanUp,
): Promise<Peers> {
  if (!peers) throw new Error("The peers need real stores.");
  return startPeers(source, folder, peers, cleanUp);
}

async function countStoreCalls(
  { startOverHttp }: BenchServers,
  asks: Asks,
  { endpoints, redisUrl }: BenchStores,
): Promise<Record<string, StoreCalls>> {
  const counter = await openCallCounter(endpoints, redisUrl);
  try {
    const { ours, bare } = await startOverHttp(counter.endpoints);
    const calls: Record<string, StoreCalls> = {};
    for (const [name, ask] of Object.entries(asks)) calls[name] = await counter.count(ours, ask);
    calls["bare function"] = await counter.count(bare, asks["GET /api/user"]);
    await Promise.all([ours.stop(), bare.stop()]);
    return calls;
  } finally {
    await counter.close();
  }
}
