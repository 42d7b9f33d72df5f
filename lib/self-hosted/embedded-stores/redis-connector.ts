import { AbstractConnector, type Redis } from "ioredis";
import {
  type CommandExecutor,
  createVirtualConnection,
  type RedisServerState,
} from "js-redis-server/core";

type Connector = NonNullable<Redis["options"]["Connector"]>;

export function embeddedConnector(state: RedisServerState, executor: CommandExecutor): Connector {
  return class extends AbstractConnector {
    constructor() {
      super(0);
    }

    async connect() {
      // ioredis uses only the socket features that the virtual connection has.
      this.stream = createVirtualConnection({ state, executor }).clientSocket as never;
      return this.stream;
    }
  };
}
