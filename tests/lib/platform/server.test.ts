import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, createBrotliDecompress, gunzipSync } from "node:zlib";
import { waitUntil } from "@vercel/functions";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoadedFunction } from "../../../lib/platform/invocation.js";
import { type Route, type RunningServer, startServer } from "../../../lib/platform/server.js";

const NativeResponse = globalThis.Response;
const long = "words and words ".repeat(500);
const json = { "content-type": "application/json" };
const logged: string[] = [];
let inside: string[] = [];
let release: () => void = () => {};

function route(path: string, fetch: LoadedFunction["fetch"], maxDuration?: number): Route {
  return { path, load: async () => ({ fetch, maxDuration }) };
}

function streamOf(chunks: string[], failure?: Error): ReadableStream<Uint8Array> {
  const texts = chunks.map((chunk) => new TextEncoder().encode(chunk));
  return new ReadableStream({
    async pull(controller) {
      await sleep(5);
      const next = texts.shift();
      if (next) controller.enqueue(next);
      else if (failure) controller.error(failure);
      else controller.close();
    },
  });
}

const functions = [
  route("/api", () => Response.json({ status: "ok" })),
  route("/api/headers", (request) => Response.json(Object.fromEntries(request.headers))),
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
  route("/api/long", () => Response.json({ long }, { headers: { etag: '"v1"', vary: "Origin" } })),
  route(
    "/api/long-stream",
    () => new Response(streamOf(["one ", "two ", "three"]), { headers: json }),
  ),
  route("/api/steps", () => {
    const text = new TextEncoder();
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(text.encode("first"));
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        controller.enqueue(text.encode("second"));
        controller.close();
      },
    });
    return new Response(body, { headers: json });
  }),
  route("/api/no-transform", () =>
    Response.json({ long }, { headers: { "cache-control": "no-transform" } }),
  ),
  route(
    "/api/encoded",
    () => new Response(long, { headers: { ...json, "content-encoding": "identity" } }),
  ),
  route("/api/binary", () => new Response(long, { headers: { "content-type": "audio/mpeg" } })),
  route("/api/broken-stream", () => new Response(streamOf([], new Error("the secret detail")))),
  route(
    "/api/broken-native",
    () => new NativeResponse(streamOf([], new Error("the secret detail"))),
  ),
  route("/api/cookies", () => {
    const headers = new Headers([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    return new Response("ok", { headers });
  }),
];

interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

function call(
  path: string,
  options: http.RequestOptions & { body?: string | Buffer; server?: RunningServer } = {},
): Promise<Reply> {
  const { body, server: target = server, ...init } = options;
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port: target.port, path, agent: false, ...init },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const whole = Buffer.concat(chunks);
          const { statusCode = 0, headers } = response;
          resolve({ status: statusCode, headers, body: whole, text: whole.toString() });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

const publicDirectory = mkdtempSync(join(tmpdir(), "public-"));
let server: RunningServer;
let routes: Route[] = functions;

function start(trustedProxies: string[] = []): Promise<RunningServer> {
  return startServer({
    port: 0,
    routes: () => routes,
    publicDirectory,
    trustedProxies,
    log: (message, error) => logged.push(`${message} ${error}`),
  });
}

beforeAll(async () => {
  writeFileSync(join(publicDirectory, "robots.txt"), "User-agent: *");
  writeFileSync(join(publicDirectory, ".hidden"), "hidden");
  mkdirSync(join(publicDirectory, "docs"));
  writeFileSync(join(publicDirectory, "docs/index.html"), "<h1>Docs</h1>");
  symlinkSync("/etc/hostname", join(publicDirectory, "link"));
  server = await start();
});
afterAll(async () => {
  await server.close();
  rmSync(publicDirectory, { recursive: true });
});

describe("routing", () => {
  it("gives a URL to its function, parameters and trailing slashes included", async () => {
    expect((await call("/api/")).text).toBe('{"status":"ok"}');
    expect((await call("/api/items/7?id=8")).text).toBe("/api/items/7");
  });

  it("answers 404 in the platform's words where nothing is", async () => {
    for (const path of [
      "/",
      "/api/none",
      "/lib/env.ts",
      "/package.json",
      "/.env",
      "/api/../.env",
    ]) {
      const reply = await call(path);
      expect([path, reply.status]).toEqual([path, 404]);
      expect(reply.text).toMatch(/^The page could not be found\n\nNOT_FOUND\n/);
      expect(reply.headers["content-type"]).toMatch(/^text\/plain/);
    }
  });

  it("serves other routes when it is given others", async () => {
    routes = [...functions, route("/api/new", () => new Response("new"))];
    expect((await call("/api/new")).text).toBe("new");
    routes = functions;
    expect((await call("/api/new")).status).toBe(404);
  });
});

describe("public files", () => {
  it("are served with their type, an index for its folder", async () => {
    const file = await call("/robots.txt");
    expect(file).toMatchObject({ status: 200, text: "User-agent: *" });
    expect(file.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect((await call("/docs")).text).toBe("<h1>Docs</h1>");
    expect((await call("/robots.txt", { method: "POST" })).status).toBe(405);
  });

  it.each([
    "/.hidden",
    "/%2ehidden",
    "/docs/..%2f..%2f..%2fetc%2fhostname",
    "/link",
    "/robots.txt%00",
    "/%ff",
  ])("are no way to %s", async (path) => {
    expect((await call(path)).status).toBe(404);
  });
});

describe("limits", () => {
  it("refuses a body over 4.5 MB, whether its length is stated or not", async () => {
    const body = Buffer.alloc(4.5 * 1024 * 1024 + 1);
    const chunked = { "transfer-encoding": "chunked" };
    for (const headers of [{ "content-length": body.length }, chunked]) {
      const reply = await call("/api/size", { method: "POST", headers, body });
      expect(reply).toMatchObject({ status: 413 });
      expect(reply.text).toContain("FUNCTION_PAYLOAD_TOO_LARGE");
    }
    const allowed = body.subarray(1);
    for (const headers of [{ "content-length": allowed.length }, chunked]) {
      const reply = await call("/api/size", { method: "POST", headers, body: allowed });
      expect(reply.text).toBe(String(allowed.length));
    }
  });

  it("refuses a URL over 14 KB and headers over 32 KB", async () => {
    expect((await call(`/api?${"a".repeat(14 * 1024)}`)).status).toBe(414);
    expect((await call("/api", { headers: { a: "a".repeat(32 * 1024) } })).status).toBe(431);
    expect((await call("/api", { headers: { a: "a".repeat(31 * 1024) } })).status).toBe(200);
  });

  it("answers 504 when a function takes too long, and cuts one that streams too long", async () => {
    const reply = await call("/api/hangs");
    expect(reply.status).toBe(504);
    expect(reply.text).toContain("FUNCTION_INVOCATION_TIMEOUT");
    await expect(call("/api/streams-forever")).rejects.toThrow();
  });

  it("refuses a request without a usable host", async () => {
    expect((await call("/api", { headers: { host: "a b" } })).status).toBe(400);
  });
});

describe("a failing function", () => {
  it.each(["/api/fails", "/api/unloadable", "/api/no-response"])(
    "%s is a 500 without detail, which stands in the log",
    async (path) => {
      logged.length = 0;
      const reply = await call(path);
      expect(reply.status).toBe(500);
      expect(reply.text).toMatch(/^A server error has occurred\n\nFUNCTION_INVOCATION_FAILED\n/);
      expect(reply.text).not.toContain("secret");
      expect(logged).toHaveLength(1);
      expect(logged[0]).toContain(path);
    },
  );

  it.each(["/api/broken-stream", "/api/broken-native"])(
    "%s is cut without telling why when its body fails",
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

describe("the platform's request headers", () => {
  const forged = {
    "x-forwarded-for": "203.0.113.9",
    "x-real-ip": "203.0.113.9",
    "X-Vercel-Forwarded-For": "203.0.113.9",
    "x-vercel-ip-country": "XX",
    "x-vercel-id": "forged",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    forwarded: "for=203.0.113.9",
  };
  const headersSeen = async (headers: Record<string, string>, target = server) =>
    JSON.parse((await call("/api/headers", { headers, server: target })).text);

  it("are ours, whatever the client sends under their names", async () => {
    const seen = await headersSeen(forged);
    expect(seen).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-real-ip": "127.0.0.1",
      "x-vercel-forwarded-for": "127.0.0.1",
      "x-forwarded-host": `127.0.0.1:${server.port}`,
      "x-forwarded-proto": "http",
      "x-vercel-id": expect.stringMatching(/^self1::\w{5}-\d{13}-[0-9a-f]{12}$/),
    });
    expect(Object.keys(seen)).not.toContain("forwarded");
    expect(Object.keys(seen)).not.toContain("x-vercel-ip-country");
  });

  it("name the client of a trusted proxy: the last address that is not one", async () => {
    const proxied = await start(["127.0.0.0/8", "10.0.0.0/8"]);
    const seen = await headersSeen(
      { ...forged, "x-forwarded-for": "203.0.113.9, 198.51.100.7, 10.1.2.3" },
      proxied,
    );
    expect(seen).toMatchObject({ "x-real-ip": "198.51.100.7", "x-forwarded-proto": "https" });
    await proxied.close();
  });
});

describe("compression", () => {
  const accepting = (encoding: string) => ({ headers: { "accept-encoding": encoding } });

  it("encodes long JSON as the client likes it, and says that it varies", async () => {
    const br = await call("/api/long", accepting("gzip, br"));
    expect(br.headers).toMatchObject({
      "content-encoding": "br",
      "content-length": String(br.body.length),
      vary: "Origin, Accept-Encoding",
      etag: 'W/"v1"',
    });
    expect(JSON.parse(brotliDecompressSync(br.body).toString())).toEqual({ long });
    const gzip = await call("/api/long", accepting("br;q=0, gzip;q=0.5"));
    expect(gzip.headers["content-encoding"]).toBe("gzip");
    expect(JSON.parse(gunzipSync(gzip.body).toString())).toEqual({ long });
    const plain = await call("/api/long");
    expect(plain.headers).toMatchObject({ etag: '"v1"', vary: "Origin, Accept-Encoding" });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(JSON.parse(plain.text)).toEqual({ long });
  });

  it("encodes a stream without changing what arrives", async () => {
    const reply = await call("/api/long-stream", accepting("br"));
    expect(reply.headers["content-encoding"]).toBe("br");
    expect(brotliDecompressSync(reply.body).toString()).toBe("one two three");
  });

  it("sends each part of a stream at once", async () => {
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: server.port, path: "/api/steps", agent: false };
      const onReply = (response: http.IncomingMessage) => {
        const decoder = response.pipe(createBrotliDecompress());
        decoder.on("data", (text) => {
          seen.push(String(text));
          release();
        });
        decoder.on("end", resolve);
        decoder.on("error", reject);
      };
      http.get({ ...options, ...accepting("br") }, onReply);
    });
    expect(seen).toEqual(["first", "second"]);
  });

  it.each(["/api", "/api/no-transform", "/api/encoded", "/api/binary"])(
    "leaves %s alone",
    async (path) => {
      const [reply, plain] = [await call(path, accepting("br")), await call(path)];
      expect(reply.headers["content-encoding"]).toBe(plain.headers["content-encoding"]);
      expect(reply.text).toBe(plain.text);
    },
  );

  it("keeps every cookie", async () => {
    const reply = await call("/api/cookies", accepting("br"));
    expect(reply.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  });

  it("sends no body to HEAD", async () => {
    const reply = await call("/api/long", { ...accepting("br"), method: "HEAD" });
    expect(reply).toMatchObject({ status: 200, text: "" });
  });
});

describe("a client that goes away", () => {
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

describe("closing", () => {
  it("finishes requests in flight, closes their connections and accepts no more", async () => {
    inside = [];
    const closing = await start();
    const agent = new http.Agent({ keepAlive: true });
    const idle = net.connect(closing.port, "127.0.0.1");
    const reply = call("/api/waits", { server: closing, agent });
    await expect.poll(() => inside).toEqual(["started"]);
    const closed = closing.close();
    await expect(call("/api", { server: closing })).rejects.toThrow("ECONNREFUSED");
    release();
    expect(await reply).toMatchObject({ text: "done", headers: { connection: "close" } });
    await closed;
    idle.destroy();
  });

  it("awaits work handed to waitUntil; a failure of it is logged and nothing more", async () => {
    inside = [];
    logged.length = 0;
    const closing = await start();
    expect((await call("/api/later", { server: closing })).text).toBe("now");
    expect(inside).toEqual([]);
    await closing.close();
    expect(inside).toEqual(["after the reply"]);
    expect(logged).toEqual(["Work after the reply failed. Error: failed after the reply"]);
  });

  it("rejects when the port is taken", async () => {
    const options = { routes: () => [], publicDirectory, trustedProxies: [], log: () => {} };
    await expect(startServer({ port: server.port, ...options })).rejects.toThrow("EADDRINUSE");
  });
});
