import { PGlite } from "@electric-sql/pglite";
import type { PostgresThread } from "../../lib/self-hosted/embedded-stores/postgres-thread.js";

/** Replaces lib/self-hosted/embedded-stores/postgres-thread.ts: a statement costs no switch of threads. */
export async function startPostgresThread({
  snapshot,
}: {
  directory: undefined;
  snapshot: ArrayBuffer | undefined;
}): Promise<PostgresThread> {
  const postgres = await PGlite.create(snapshot ? { loadDataDir: new Blob([snapshot]) } : {});
  return {
    async run(task, input = new Uint8Array()) {
      if (task === "exchange") return postgres.execProtocolRaw(input);
      if (task === "dump") {
        return new Uint8Array(await (await postgres.dumpDataDir("none")).arrayBuffer());
      }
      if (task === "close") await postgres.close();
      return new Uint8Array();
    },
    async kill() {},
  };
}
