import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy to a store that can be cut off, delayed and redirected. */
export interface CutProxy {
  /** The address of the store, through the proxy. */
  url: string;
  /** Break open connections, also during a reply, and refuse new ones. */
  cut(): void;
  restore(): void;
  /** Delay the data in each direction. */
  slow(ms: number): void;
  /** Send new connections to another store; open ones stay. */
  redirect(target: string): void;
  close(): Promise<void>;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  let currentTarget = new URL(target);
  let delayMs = 0;
  const sockets = new Set<Socket>();
  let isCut = false;
  const forward = (bytes: Buffer, to: Socket) =>
    delayMs > 0 ? setTimeout(() => to.write(bytes), delayMs) : to.write(bytes);
  const server = createServer((incoming) => {
    if (isCut) return void incoming.resetAndDestroy();
    const outgoing = connect(Number(currentTarget.port), currentTarget.hostname);
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        for (const end of [incoming, outgoing]) end.destroy();
      });
    }
    incoming.on("data", (bytes) => forward(bytes, outgoing));
    outgoing.on("data", (bytes) => forward(bytes, incoming));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxied = new URL(target);
  proxied.hostname = "127.0.0.1";
  proxied.port = String((server.address() as AddressInfo).port);
  const breakAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: proxied.toString(),
    cut() {
      isCut = true;
      breakAll();
    },
    restore() {
      isCut = false;
    },
    slow(ms) {
      delayMs = ms;
    },
    redirect(other) {
      currentTarget = new URL(other);
    },
    async close() {
      breakAll();
      server.close();
      await once(server, "close");
    },
  };
}
