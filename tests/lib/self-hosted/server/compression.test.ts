import http from "node:http";
import { brotliDecompressSync, createBrotliDecompress, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listenLocally } from "../../../../dev/listen-locally.js";
import { CompressingResponse } from "../../../../lib/self-hosted/server/compression.js";
import type { RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { call, json, route, serve, streamOf } from "./server-calls.js";

const long = "words and words ".repeat(500);
let release: () => void = () => {};

const functions = [
  route("/api", () => Response.json({ status: "ok" })),
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
  route("/api/cookies", () => {
    const headers = new Headers([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    return new Response("ok", { headers });
  }),
];

let server: RunningServer;
beforeAll(async () => {
  server = await serve(functions);
});
afterAll(() => server.close());

describe("compression", () => {
  const accepting = (encoding: string) => ({ headers: { "accept-encoding": encoding } });

  it("encodes long JSON by the client's preference and sends Vary", async () => {
    const br = await call(server, "/api/long", accepting("gzip, br"));
    expect(br.headers).toMatchObject({
      "content-encoding": "br",
      "content-length": String(br.body.length),
      vary: "Origin, Accept-Encoding",
      etag: 'W/"v1"',
    });
    expect(JSON.parse(brotliDecompressSync(br.body).toString())).toEqual({ long });
    const gzip = await call(server, "/api/long", accepting("br;q=0, gzip;q=0.5"));
    expect(gzip.headers["content-encoding"]).toBe("gzip");
    expect(JSON.parse(gunzipSync(gzip.body).toString())).toEqual({ long });
    const plain = await call(server, "/api/long");
    expect(plain.headers).toMatchObject({ etag: '"v1"', vary: "Origin, Accept-Encoding" });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(JSON.parse(plain.text)).toEqual({ long });
  });

  it("encodes a stream without changing its content", async () => {
    const reply = await call(server, "/api/long-stream", accepting("br"));
    expect(reply.headers["content-encoding"]).toBe("br");
    expect(brotliDecompressSync(reply.body).toString()).toBe("one two three");
  });

  it("sends each chunk of a stream at once", async () => {
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
    "does not change %s",
    async (path) => {
      const [reply, plain] = [await call(server, path, accepting("br")), await call(server, path)];
      expect(reply.headers["content-encoding"]).toBe(plain.headers["content-encoding"]);
      expect(reply.text).toBe(plain.text);
    },
  );

  it("keeps every cookie", async () => {
    const reply = await call(server, "/api/cookies", accepting("br"));
    expect(reply.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  });

  it("sends no body to HEAD", async () => {
    const reply = await call(server, "/api/long", { ...accepting("br"), method: "HEAD" });
    expect(reply).toMatchObject({ status: 200, text: "" });
  });
});

describe("a reply written with all the arguments of Node.js", () => {
  it("keeps the status message, the encoding and the callbacks", async () => {
    const called: string[] = [];
    const server = http.createServer({ ServerResponse: CompressingResponse }, (_, response) => {
      response.writeHead(200, "Fine", { "content-type": "application/json" });
      response.write("7b", "hex", () => called.push("write"));
      response.end("7d", "hex", () => called.push("end"));
    });
    const { url, close } = await listenLocally(server);
    const reply = await fetch(url);
    expect(reply.statusText).toBe("Fine");
    expect(await reply.text()).toBe("{}");
    await close();
    expect(called).toEqual(["write", "end"]);
  });

  it("is sent once when an error replaces a reply that was not sent", async () => {
    const server = http.createServer({ ServerResponse: CompressingResponse }, (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.writeHead(500, { "content-type": "image/png" });
      response.end();
    });
    const { url, close } = await listenLocally(server);
    expect((await fetch(url)).status).toBe(500);
    await close();
  });
});
