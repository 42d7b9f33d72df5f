import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A store's port that can be cut off, slow, and lead elsewhere. */
export interface CutProxy {
  /** The address of the store, through the proxy. */
  url: string;
  /** Standing connections break, in the midst of a reply too, and new ones are refused. */
  cut(): void;
  mend(): void;
  /** What passes in either direction takes so long. */
  slow(ms: number): void;
  /** New connections go to another store; standing ones stay where they are. */
  lead(target: string): void;
  close(): Promise<void>;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  let leadsTo = new URL(target);
  let delayMs = 0;
  const sockets = new Set<Socket>();
  let isCut = false;
  const passOn = (bytes: Buffer, to: Socket) =>
    delayMs > 0 ? setTimeout(() => to.write(bytes), delayMs) : to.write(bytes);
  const server = createServer((incoming) => {
    if (isCut) return void incoming.resetAndDestroy();
    const outgoing = connect(Number(leadsTo.port), leadsTo.hostname);
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        for (const end of [incoming, outgoing]) end.destroy();
      });
    }
    incoming.on("data", (bytes) => passOn(bytes, outgoing));
    outgoing.on("data", (bytes) => passOn(bytes, incoming));
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
    mend() {
      isCut = false;
    },
    slow(ms) {
      delayMs = ms;
    },
    lead(other) {
      leadsTo = new URL(other);
    },
    async close() {
      breakAll();
      server.close();
      await once(server, "close");
    },
  };
}
