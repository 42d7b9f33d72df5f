// PGlite blocks its thread. JavaScript, because a worker does not inherit the TypeScript loader.
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";

const { directory, snapshot } = workerData;
const postgres = await PGlite.create({
  ...(directory ? { dataDir: directory } : {}),
  ...(snapshot ? { loadDataDir: new Blob([snapshot]) } : {}),
});

const tasks = {
  exchange: (messages) => postgres.execProtocolRaw(messages),
  dump: async () => new Uint8Array(await (await postgres.dumpDataDir("none")).arrayBuffer()),
  close: () => postgres.close(),
};

parentPort.on("message", async ({ task, input }) => {
  try {
    parentPort.postMessage({ output: await tasks[task](input) });
  } catch (error) {
    parentPort.postMessage({ error });
  }
});
parentPort.postMessage({ output: "ready" });
