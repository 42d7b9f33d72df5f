import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Wire {
  port: number;
  /** Close the port and all connections. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Send no more bytes to the client, but keep every connection open. */
  pause(): void;
  resume(): void;
  /** Close each open connection when its next reply arrives, instead of sending the reply. */
  loseReplies(): void;
  close(): Promise<void>;
}

/** Start a TCP relay to a server that can simulate network failures. */
export async function startWire(target: URL): Promise<Wire> {
  const pairs = new Set<{ client: Socket; server: Socket }>();

  const relay = createServer((client) => {
    const server = connect(Number(target.port || 6379), target.hostname);
    const pair = { client, server };
    pairs.add(pair);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });

  const listen = (port: number) =>
    new Promise<void>((resolve) => relay.listen(port, "127.0.0.1", resolve));
  const cut = () =>
    new Promise<void>((resolve) => {
      relay.close(() => resolve());
      for (const { client } of pairs) client.destroy();
    });

  await listen(0);
  const { port } = relay.address() as AddressInfo;
  return {
    port,
    cut,
    restore: () => listen(port),
    pause() {
      for (const { client, server } of pairs) server.unpipe(client);
    },
    resume() {
      for (const { client, server } of pairs) server.pipe(client);
    },
    loseReplies() {
      for (const { client, server } of pairs) {
        server.unpipe(client);
        server.once("data", () => client.destroy()).resume();
      }
    },
    close: () => (relay.listening ? cut() : Promise.resolve()),
  };
}
