import { PGlite } from "@electric-sql/pglite";
import type { BranchDatabase, BranchDatabases } from "./branch-databases.js";
import { serveOverSocket } from "./wire-server.js";

interface EmbeddedBranches extends BranchDatabases {
  /** Remember what the live database holds now, as of `at`. */
  remember(at: Date): Promise<void>;
}

/**
 * Copies of an embedded Postgres. It has no history: a copy of a past time is the newest remembered state up to then.
 * `dump` returns a data directory of the live database as a tar.
 */
export function embeddedBranches(liveUri: string, dump: () => Promise<Blob>): EmbeddedBranches {
  const history: { at: Date; data: Blob }[] = [];
  const dumps = new Map<string, () => Promise<Blob>>();

  async function open(data: Blob): Promise<BranchDatabase> {
    const postgres = await PGlite.create({ loadDataDir: data });
    const server = await serveOverSocket(postgres);
    const uri = `postgresql://linguamate@127.0.0.1:${server.port}/linguamate`;
    dumps.set(uri, async () => postgres.dumpDataDir("none"));
    return {
      uri,
      async drop() {
        if (!dumps.delete(uri)) return;
        await server.close();
        await postgres.close();
      },
    };
  }

  return {
    live: { uri: liveUri, drop: async () => {} },
    async remember(at) {
      history.push({ at, data: await dump() });
    },
    async copyOfLive(at) {
      const known = history.filter((each) => each.at <= at).at(-1);
      if (!known) throw new Error("Nothing is remembered of that time.");
      return open(known.data);
    },
    async copyOf({ uri }) {
      const dumpOf = uri === liveUri ? dump : dumps.get(uri);
      if (!dumpOf) throw new Error("The database is gone.");
      return open(await dumpOf());
    },
    close: async () => {},
  };
}
