import { AbstractConnector, type Redis } from "ioredis";
import {
  type CommandExecutor,
  createVirtualConnection,
  type RedisServerState,
} from "js-redis-server/core";

type Connector = NonNullable<Redis["options"]["Connector"]>;

/** An ioredis connector to a server in this process: the real client and protocol, without a socket. */
export function embeddedConnector(state: RedisServerState, executor: CommandExecutor): Connector {
  return class extends AbstractConnector {
    constructor() {
      super(0);
    }

    async connect() {
      // ioredis uses no more of a socket than js-redis-server's stand-in has.
      this.stream = createVirtualConnection({ state, executor }).clientSocket as never;
      return this.stream;
    }
  };
}
