import { subscribe, unsubscribe } from "node:diagnostics_channel";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bodyLimits } from "../../../../lib/body-limits.js";
import { readBytes } from "../../../../lib/http/steps/body-bytes.js";
import type { RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { call, route, serve } from "./server-calls.js";

const megabyte = 1024 * 1024;
const pollOptions = { timeout: 10_000 };

/** A function that returns the number of bytes read, or the error code. */
const reads =
  (bytesMax: number, limits = bodyLimits) =>
  async (request: Request) => {
    try {
      return new Response(`${(await readBytes(request, bytesMax, limits)).length}`);
    } catch (error) {
      return new Response((error as { code: string }).code, { status: 400 });
    }
  };

/** The server's ends of the connections. */
const accepted: net.Socket[] = [];
const accept = (message: unknown) => void accepted.push((message as { socket: net.Socket }).socket);

let server: RunningServer;
beforeAll(async () => {
  subscribe("net.server.socket", accept);
  server = await serve([
    route("/api/reads", reads(64 * 1024), 0.2),
    route("/api/reads-in-haste", reads(1024, { ...bodyLimits, idleMsMax: 300 }), 0.2),
    route("/api/reads-much", reads(4 * megabyte)),
    route("/api/refuses", () => new Response("refused", { status: 401 })),
    route(
      "/api/reads-then-hangs",
      async (request) => {
        await readBytes(request, megabyte);
        return new Promise<Response>(() => {});
      },
      0.1,
    ),
  ]);
});
afterAll(async () => {
  unsubscribe("net.server.socket", accept);
  await server.close();
});

/** Resolves when the server has read and handled all that this client has sent. */
async function isRead(socket: net.Socket): Promise<void> {
  const end = () => accepted.find(({ remotePort }) => remotePort === socket.localPort);
  while (end()?.bytesRead !== socket.bytesWritten) await new Promise(setImmediate);
  await new Promise(setImmediate);
}

/** A raw connection; `received` is everything that the server sent. */
function connect(path: string, headers: string[]) {
  const socket = net.connect(server.port, "127.0.0.1");
  const state = { received: "", isEnded: false, isReset: false };
  socket.on("data", (bytes) => {
    state.received += bytes;
  });
  socket.on("end", () => {
    state.isEnded = true;
  });
  socket.on("error", () => {
    state.isReset = true;
  });
  socket.write([`POST ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n"));
  return { socket, state };
}

const chunkOf = (bytes: number) => `${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`;
const statuses = ({ received }: { received: string }) =>
  [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

describe("a body without a content length", () => {
  const chunked = { "transfer-encoding": "chunked" };

  it("may be as large as the route's limit", async () => {
    const send = (bytes: number) =>
      call(server, "/api/reads-much", {
        method: "POST",
        headers: chunked,
        body: Buffer.alloc(bytes),
      });
    expect((await send(4 * megabyte)).text).toBe(String(4 * megabyte));
    expect((await send(4 * megabyte + 1)).text).toBe("payload_too_large");
  });

  it("is refused as soon as it exceeds the limit, while it is still being sent", async () => {
    const { socket, state } = connect("/api/reads", ["Transfer-Encoding: chunked"]);
    socket.write(chunkOf(64 * 1024));
    await isRead(socket);
    expect(state.received).toBe("");
    socket.write(chunkOf(1));
    await expect.poll(() => state.received, pollOptions).toContain("payload_too_large");
    socket.destroy();
  });

  it("is one body, in any number of chunks", async () => {
    const { socket, state } = connect("/api/reads", ["Transfer-Encoding: chunked"]);
    socket.write(chunkOf(1).repeat(20_000));
    socket.write("0\r\n\r\n");
    await expect.poll(() => state.received, pollOptions).toMatch(/\r\n\r\n20000$/);
    socket.destroy();
  });
});

describe("the time limit of a function", () => {
  it("begins when the body has arrived", async () => {
    const { socket, state } = connect("/api/reads", ["Content-Length: 100"]);
    for (let part = 0; part < 5; part++) {
      socket.write("x".repeat(20));
      await sleep(100);
    }
    await expect.poll(() => state.received, pollOptions).toMatch(/\r\n\r\n100$/);
    socket.destroy();
  });

  it("still applies to a function that hangs afterwards", async () => {
    const reply = await call(server, "/api/reads-then-hangs", { method: "POST", body: "x" });
    expect(reply.status).toBe(504);
  });

  it("does not apply to an incomplete body, which has its own limit", async () => {
    const { socket, state } = connect("/api/reads-in-haste", ["Content-Length: 100"]);
    await expect.poll(() => state.received, pollOptions).toContain("body_timeout");
    socket.destroy();
  });

  it("of the server itself is longer than a body may take", async () => {
    const create = vi.spyOn(http, "createServer");
    const other = await serve([]);
    const [options] = create.mock.calls[0] as unknown as [http.ServerOptions];
    create.mockRestore();
    expect(options.requestTimeout).toBeGreaterThan(bodyLimits.totalMsMax);
    await other.close();
  });
});

describe("a response before the end of the body", () => {
  const write = async ({ socket }: { socket: net.Socket }, chunks: number) => {
    for (let sent = 0; sent < chunks; sent++) {
      if (!socket.write(chunkOf(64 * 1024))) await sleep(1);
      await sleep(1);
    }
  };

  it.each([
    ["that is kept open", "keep-alive"],
    ["that is closed afterwards", "close"],
  ])(
    "is received by a client that continues sending, on a connection %s",
    async (_, connection) => {
      const headers = ["Transfer-Encoding: chunked", `Connection: ${connection}`];
      for (const path of ["/api/reads", "/api/refuses"]) {
        const client = connect(path, headers);
        client.socket.pause();
        await write(client, 100);
        client.socket.write("0\r\n\r\n");
        expect(client.state.isReset).toBe(false);
        client.socket.resume();
        await expect
          .poll(() => client.state.received, pollOptions)
          .toMatch(/payload_too_large|refused/);
        if (connection === "close") {
          await expect.poll(() => client.state.isEnded, pollOptions).toBe(true);
        } else {
          client.socket.write("POST /api/refuses HTTP/1.1\r\nHost: localhost\r\n\r\n");
          await expect
            .poll(() => statuses(client.state), pollOptions)
            .toEqual([expect.any(Number), 401]);
        }
        expect(client.state.isReset).toBe(false);
        client.socket.destroy();
      }
    },
  );

  it("is received by a client that sends longer than the silence limit", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { socket, state } = connect("/api/refuses", ["Content-Length: 1000"]);
    while (!state.received.includes("refused")) await new Promise(setImmediate);
    for (let sent = 0; sent < 3; sent++) {
      socket.write("x");
      await isRead(socket);
      vi.advanceTimersByTime(bodyLimits.idleMsMax - 1);
    }
    socket.write("x");
    await isRead(socket);
    vi.useRealTimers();
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  it("closes the connection when the rest of the body stops arriving", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { socket, state } = connect("/api/refuses", ["Content-Length: 100"]);
    const isClosed = new Promise((resolve) => socket.once("close", resolve));
    while (!state.received.includes("refused")) await new Promise(setImmediate);
    vi.advanceTimersByTime(bodyLimits.idleMsMax - 1);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    await isClosed;
    vi.useRealTimers();
  });
});
