import { Redis } from "ioredis";
import { RedisServerState } from "js-redis-server/core";
import { redisConnection } from "../../platform/redis-transport/connection.js";
import type { RedisBackend } from "../../platform/redis-transport/upstash-protocol.js";
import { compatibility, embeddedRedisCommands } from "./redis-commands.js";
import { embeddedConnector } from "./redis-connector.js";
import { openRedisSnapshot } from "./redis-snapshot.js";
import { listenResp, type RespPort } from "./resp-port.js";

export interface EmbeddedRedis {
  backend: RedisBackend;
  /** False after a kill: the last writes may be missing. */
  wasClean: boolean;
  /** For `redis-cli`; port 0 is any free port. */
  listenResp(port: number, host?: string): Promise<RespPort>;
  close(): Promise<void>;
}

/** In memory, or saved to `file` with a short delay. Only one process may use a file; this is not checked. */
export async function openEmbeddedRedis(options: { file?: string }): Promise<EmbeddedRedis> {
  const state = new RedisServerState({ databaseCount: 16, compatibility });
  const snapshot = options.file === undefined ? null : await openRedisSnapshot(state, options.file);
  const executor = embeddedRedisCommands();
  const redis = new Redis({ Connector: embeddedConnector(state, executor), retryStrategy: null });
  const backend = redisConnection(redis);
  const ports = new Set<RespPort>();

  return {
    backend,
    wasClean: snapshot?.wasClean ?? true,
    async listenResp(port, host = "127.0.0.1") {
      const opened = await listenResp({ state, executor, port, host });
      ports.add(opened);
      return opened;
    },
    async close() {
      await Promise.all([...ports].map((port) => port.close()));
      await backend.close();
      await snapshot?.close();
      state.close();
    },
  };
}
