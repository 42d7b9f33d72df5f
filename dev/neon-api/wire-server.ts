import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import type { PGlite } from "@electric-sql/pglite";

/** Serves one embedded Postgres on a local port in Postgres' protocol. One session, whose state is discarded with each connection. */
export async function serveOverSocket(
  postgres: PGlite,
): Promise<{ port: number; close(): Promise<void> }> {
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const turn = queue.then(task);
    queue = turn.catch(() => {});
    return turn;
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let waiting = Buffer.alloc(0);
    let isStarted = false;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      void inTurn(async () => void (await postgres.exec("rollback; discard all").catch(() => {})));
    });
    socket.on("data", (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      if (!isStarted) {
        const length = waiting.length >= 8 ? waiting.readInt32BE(0) : Number.POSITIVE_INFINITY;
        if (waiting.length < length) return;
        const code = waiting.readInt32BE(4);
        waiting = waiting.subarray(length);
        // No TLS, and no encryption by GSSAPI.
        if (code === 80_877_103 || code === 80_877_104) return void socket.write("N");
        isStarted = true;
        socket.write(greeting());
      }
      const end = endOfMessages(waiting);
      if (end === 0) return;
      const messages = waiting.subarray(0, end);
      waiting = waiting.subarray(end);
      if (messages[0] === terminate) return void socket.end();
      void inTurn(async () => {
        const reply = await postgres.execProtocolRaw(new Uint8Array(messages));
        if (!socket.destroyed) socket.write(reply);
      }).catch(() => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await queue;
    },
  };
}

const terminate = "X".charCodeAt(0);

function endOfMessages(bytes: Buffer): number {
  let end = 0;
  while (bytes.length >= end + 5) {
    const next = end + 1 + bytes.readInt32BE(end + 1);
    if (next > bytes.length) break;
    end = next;
  }
  return end;
}

/** Any user may enter. */
function greeting(): Buffer {
  const settings: [string, string][] = [
    ["server_version", "17.0"],
    ["server_encoding", "UTF8"],
    ["client_encoding", "UTF8"],
    ["standard_conforming_strings", "on"],
    ["integer_datetimes", "on"],
    ["DateStyle", "ISO, MDY"],
    ["TimeZone", "UTC"],
  ];
  return Buffer.concat([
    message("R", Buffer.from([0, 0, 0, 0])),
    ...settings.map(([name, value]) => message("S", Buffer.from(`${name}\0${value}\0`))),
    message("K", Buffer.alloc(8)),
    message("Z", Buffer.from("I")),
  ]);
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
