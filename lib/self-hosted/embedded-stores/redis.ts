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
  /** False when the file's last owner did not close it: its last writes may be missing. */
  wasClean: boolean;
  /** Serve the same data to `redis-cli` and other clients; port 0 is any free one. */
  listenResp(port: number, host?: string): Promise<RespPort>;
  close(): Promise<void>;
}

/**
 * A Redis inside this process, kept in `file` or, without one, in memory only.
 *
 * A write is in the file a moment later, so a killed process loses the last fraction of a second. One
 * process at a time may own a file; nothing here enforces it.
 */
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
