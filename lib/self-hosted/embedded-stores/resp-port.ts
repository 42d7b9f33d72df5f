import { type AddressInfo, createServer, type Socket } from "node:net";
import {
  attachSession,
  type CommandExecutor,
  type RedisServerState,
  SocketConnectionTransport,
} from "js-redis-server/core";

export interface RespPort {
  port: number;
  close(): Promise<void>;
}

export async function listenResp(options: {
  state: RedisServerState;
  executor: CommandExecutor;
  port: number;
  host: string;
}): Promise<RespPort> {
  const { state, executor, port, host } = options;
  const sockets = new Set<Socket>();

  // Without noDelay, pipelines wait 40 ms for a delayed ACK.
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const clientAddress = `${socket.remoteAddress}:${socket.remotePort}`;
    const session = attachSession(new SocketConnectionTransport(socket), {
      state,
      executor,
      clientAddress,
    });
    session.done.catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
