import { subscribe, unsubscribe } from "node:diagnostics_channel";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "@vercel/functions";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Route, RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { call, route, serve, streamOf } from "./server-calls.js";

const NativeResponse = globalThis.Response;
const logged: string[] = [];
let inside: string[] = [];
let release: () => void = () => {};

const functions = [
  route("/api", () => Response.json({ status: "ok" })),
  route("/api/items/[id]", (request) => new Response(new URL(request.url).pathname)),
  route(
    "/api/size",
    async (request) => new Response(`${(await request.arrayBuffer()).byteLength}`),
  ),
  route("/api/fails", () => {
    throw new Error("the secret detail");
  }),
  { path: "/api/unloadable", load: () => Promise.reject(new Error("the secret detail")) },
  route("/api/no-response", () => undefined as unknown as Response),
  route("/api/hangs", () => new Promise<Response>(() => {}), 0.05),
  route("/api/streams-forever", () => new Response(streamOf(Array(1000).fill("more "))), 0.05),
  route("/api/waits", async () => {
    inside.push("started");
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return new Response("done");
  }),
  route("/api/later", () => {
    waitUntil(
      sleep(60).then(() => {
        inside.push("after the reply");
      }),
    );
    waitUntil(Promise.reject(new Error("failed after the reply")));
    return new Response("now");
  }),
  route("/api/aborted", async (request) => {
    request.signal.addEventListener("abort", () => inside.push("aborted"));
    inside.push("started");
    await sleep(1000);
    return new Response("too late");
  }),
  route("/api/broken-stream", () => new Response(streamOf([], new Error("the secret detail")))),
  route(
    "/api/broken-native",
    () => new NativeResponse(streamOf([], new Error("the secret detail"))),
  ),
];

let server: RunningServer;
let routes: Route[] = functions;

function start(): Promise<RunningServer> {
  return serve(functions, {
    routes: () => routes,
    log: (message, error) => logged.push(`${message} ${error}`),
  });
}

beforeAll(async () => {
  server = await start();
});
afterAll(() => server.close());

describe("routing", () => {
  it("finds the function of a URL, with parameters and trailing slashes", async () => {
    expect((await call(server, "/api/")).text).toBe('{"status":"ok"}');
    expect((await call(server, "/api/items/7?id=8")).text).toBe("/api/items/7");
  });

  it("gives paths that no function and no file has to one function", async () => {
    for (const path of [
      "/",
      "/api/none",
      "/lib/env.ts",
      "/package.json",
      "/.env",
      "/api/../.env",
    ]) {
      const reply = await call(server, path);
      expect([path, reply.status]).toEqual([path, 404]);
      expect(reply.text).toBe(path.replace("/api/../", "/"));
    }
  });

  it("serves the current routes after they change", async () => {
    routes = [...functions, route("/api/new", () => new Response("new"))];
    expect((await call(server, "/api/new")).text).toBe("new");
    routes = functions;
    expect((await call(server, "/api/new")).status).toBe(404);
  });
});

describe("limits", () => {
  it("returns 413 for a content length over 4.5 MB", async () => {
    const send = (body: Buffer) => {
      const headers = { "content-length": body.length };
      return call(server, "/api/size", { method: "POST", headers, body });
    };
    const body = Buffer.alloc(4.5 * 1024 * 1024 + 1);
    const reply = await send(body);
    expect(reply).toMatchObject({ status: 413 });
    expect(reply.text).toContain("FUNCTION_PAYLOAD_TOO_LARGE");
    expect((await send(body.subarray(1))).text).toBe(String(body.length - 1));
  });

  it("returns 414 for a URL over 14 KB and 431 for headers over 32 KB", async () => {
    expect((await call(server, `/api?${"a".repeat(14 * 1024)}`)).status).toBe(414);
    expect((await call(server, "/api", { headers: { a: "a".repeat(32 * 1024) } })).status).toBe(
      431,
    );
    expect((await call(server, "/api", { headers: { a: "a".repeat(31 * 1024) } })).status).toBe(
      200,
    );
  });

  it("returns 504 for a function that takes too long, and cuts a stream that takes too long", async () => {
    const reply = await call(server, "/api/hangs");
    expect(reply.status).toBe(504);
    expect(reply.text).toContain("FUNCTION_INVOCATION_TIMEOUT");
    await expect(call(server, "/api/streams-forever")).rejects.toThrow();
  });

  it("serves 16 pipelined requests, and closes a connection with more", async () => {
    const sent = (count: number) => {
      const socket = net.connect(server.port, "127.0.0.1");
      const one = (at: number) => `GET /api/items/${at} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      socket.write(Array.from({ length: count }, (_, at) => one(at)).join(""));
      return socket;
    };
    const served = sent(16);
    let received = "";
    for await (const chunk of served) {
      received += chunk;
      if (received.includes("/api/items/15")) break;
    }
    expect(received.match(/\/api\/items\/\d+/g)).toEqual(
      Array.from({ length: 16 }, (_, at) => `/api/items/${at}`),
    );
    let parsed = 0;
    const count = () => {
      parsed += 1;
    };
    subscribe("http.server.request.start", count);
    const flood = sent(1500);
    flood.on("error", () => {});
    await new Promise((closed) => flood.once("close", closed));
    unsubscribe("http.server.request.start", count);
    expect(parsed).toBe(17);
    expect((await call(server, "/api")).status).toBe(200);
  });

  it("returns 400 for an invalid host or request target", async () => {
    expect((await call(server, "/api", { headers: { host: "a b" } })).status).toBe(400);
    expect((await call(server, "http://other.example/api")).status).toBe(400);
    expect((await call(server, "*", { method: "OPTIONS" })).status).toBe(400);
  });
});

describe("a failing function", () => {
  it.each(["/api/fails", "/api/unloadable", "/api/no-response"])(
    "%s returns 500 without details, which are logged",
    async (path) => {
      logged.length = 0;
      const reply = await call(server, path);
      expect(reply.status).toBe(500);
      expect(reply.text).toMatch(/^A server error has occurred\n\nFUNCTION_INVOCATION_FAILED\n/);
      expect(reply.text).not.toContain("secret");
      expect(logged).toHaveLength(1);
      expect(logged[0]).toContain(path);
    },
  );

  it.each(["/api/broken-stream", "/api/broken-native"])(
    "%s closes the connection without details when its body fails",
    async (path) => {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
      let received = "";
      for await (const bytes of socket) received += bytes;
      expect(received).toMatch(/^HTTP\/1.1 200 /);
      expect(received).not.toContain("secret");
      expect(received).not.toMatch(/\r\n0\r\n\r\n$/);
    },
  );
});

it("returns 400 for a request with two Host headers", async () => {
  const server = await serve([route("/api/host", async () => new Response("never"))]);
  const socket = net.connect(server.port, "127.0.0.1");
  socket.write(
    "GET /api/host HTTP/1.1\r\nHost: a.test\r\nhost: b.test\r\nConnection: close\r\n\r\n",
  );
  let received = "";
  for await (const bytes of socket) received += bytes;
  expect(received).toMatch(/^HTTP\/1.1 400 /);
  await server.close();
});

it("serves a request without a Host header only in HTTP/1.0", async () => {
  const server = await serve([route("/api/host", async () => new Response("served"))]);
  const statusOf = async (request: string) => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.end(request);
    let received = "";
    for await (const bytes of socket) received += bytes;
    return Number(/^HTTP\/1.1 (\d+) /.exec(received)?.[1]);
  };
  expect(await statusOf("GET /api/host HTTP/1.0\r\n\r\n")).toBe(200);
  expect(await statusOf("OPTIONS /api/host HTTP/1.0\r\n\r\n")).toBe(200);
  expect(await statusOf("GET /api/host HTTP/1.1\r\nConnection: close\r\n\r\n")).toBe(400);
  expect(await statusOf("GET /api/host HTTP/1.1\r\nHost:\r\n\r\n")).toBe(400);
  await server.close();
});

describe("a client that disconnects", () => {
  it("aborts the request's signal", async () => {
    inside = [];
    const request = http.get({
      host: "127.0.0.1",
      port: server.port,
      path: "/api/aborted",
      agent: false,
    });
    request.on("error", () => {});
    await expect.poll(() => inside).toEqual(["started"]);
    request.destroy();
    await expect.poll(() => inside).toEqual(["started", "aborted"]);
  });
});

describe("close", () => {
  it("finishes requests in progress, closes their connections and accepts no more", async () => {
    inside = [];
    const closing = await start();
    const agent = new http.Agent({ keepAlive: true });
    const idle = net.connect(closing.port, "127.0.0.1");
    const reply = call(closing, "/api/waits", { agent });
    await expect.poll(() => inside).toEqual(["started"]);
    const closed = closing.close();
    await expect(call(closing, "/api")).rejects.toThrow("ECONNREFUSED");
    release();
    expect(await reply).toMatchObject({ text: "done", headers: { connection: "close" } });
    await closed;
    idle.destroy();
  });

  it("waits for work passed to waitUntil, and only logs its failure", async () => {
    inside = [];
    logged.length = 0;
    const closing = await start();
    expect((await call(closing, "/api/later")).text).toBe("now");
    expect(inside).toEqual([]);
    await closing.close();
    expect(inside).toEqual(["after the reply"]);
    expect(logged).toEqual(["Work after the reply failed. Error: failed after the reply"]);
  });

  it("rejects when the port is in use", async () => {
    await expect(serve([], { port: server.port })).rejects.toThrow("EADDRINUSE");
  });
});
