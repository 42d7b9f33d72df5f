import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildOutput } from "../../dev/build/output.js";
import { buildSelfHosted } from "../../dev/build/self-hosted.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";

const megabyte = 1024 * 1024;
const longTimeout = { timeout: 20_000 };
const files = {
  "api/index.ts": `
    import * as z from "zod";
    import { endpoint } from "../lib/http/endpoint.js";
    import { route } from "../lib/http/route.js";
    const POST = endpoint({
      summary: "Say how large a file is.",
      auth: "anonymous",
      limits: [],
      upload: { part: "audio", fileBytesMax: 4 * 1024 * 1024 },
      body: z.strictObject({}),
      replies: { 200: z.unknown() },
      errors: [],
      handle: async ({ file }) => ({ bytes: file.length }),
    });
    export default route("/api/", { POST });`,
  "api/memory.ts": `
    import { setFlagsFromString } from "node:v8";
    import { runInNewContext } from "node:vm";
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc");
    export default {
      fetch: () => {
        collectGarbage();
        return Response.json(process.memoryUsage().arrayBuffers);
      },
    };`,
  "drizzle/0001_first.sql": "select 1;",
  ".env": "LOG_LEVEL=notice\nJWT_SECRET=stands-in-the-file-and-is-long-enough",
  "package.json": `{ "type": "module" }`,
  "public/robots.txt": "",
  "vercel.json": `{ "crons": [] }`,
};

const start = Buffer.from(
  '--b\r\nContent-Disposition: form-data; name="audio"; filename="a.webm"\r\n\r\n',
);
const end = Buffer.from("\r\n--b--\r\n");

describe("request bodies of the built server", () => {
  const root = mkdtempSync(join(tmpdir(), "request-bodies-"));
  let server: ServerProcess;

  beforeAll(async () => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    cpSync("lib", join(root, "lib"), { recursive: true });
    symlinkSync(resolve("node_modules"), join(root, "node_modules"));
    await Promise.all([buildOutput(root), buildSelfHosted(root)]);
    const absent = "127.0.0.1:1";
    server = await startServerProcess(root, builtServer, {
      DATABASE_URL: `postgresql://app:secret@${absent}/app`,
      REDIS_URL: `redis://${absent}`,
    });
  });
  afterAll(async () => {
    await server?.kill();
    rmSync(root, { recursive: true, force: true });
  });

  /** The bytes in buffers of the server, after garbage collection. */
  const bufferBytes = async () =>
    (await (await fetch(`${server.url}/api/memory`)).json()) as number;

  /** Begin a chunked upload and leave it unfinished. */
  function beginUpload(bytes: number) {
    const socket = net.connect(Number(new URL(server.url).port), "127.0.0.1");
    const upload = { socket, received: "" };
    socket.on("error", () => {});
    socket.on("data", (text) => {
      upload.received += text;
    });
    const content = Buffer.concat([start, Buffer.alloc(bytes)]);
    socket.write(
      "POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n",
    );
    socket.write("Transfer-Encoding: chunked\r\n\r\n");
    for (let at = 0; at < content.length; at += 64 * 1024) {
      const part = content.subarray(at, at + 64 * 1024);
      socket.write(`${part.length.toString(16)}\r\n`);
      socket.write(part);
      socket.write("\r\n");
    }
    return upload;
  }
  const finish = ({ socket }: { socket: net.Socket }) =>
    socket.write(`${end.length.toString(16)}\r\n${end}\r\n0\r\n\r\n`);

  it("use at most 32 MB of memory while unfinished, and release it afterwards", async () => {
    const first = beginUpload(4 * megabyte);
    finish(first);
    await expect.poll(() => first.received, longTimeout).toContain(`{"bytes":${4 * megabyte}}`);
    first.socket.destroy();
    // The reply is sent before the server has released this body.
    await expect.poll(bufferBytes, longTimeout).toBeLessThan(megabyte);
    const before = await bufferBytes();
    const uploads = Array.from({ length: 60 }, () => beginUpload(4 * megabyte - 1));
    const answered = () => uploads.filter(({ received }) => received !== "");
    await expect.poll(() => answered().length, longTimeout).toBeGreaterThanOrEqual(52);
    // Until the others have arrived, and the rest of the refused ones is read and discarded. How many are left depends
    // on the order in which they grew.
    await expect.poll(bufferBytes, longTimeout).toBeGreaterThan(before + 12 * megabyte);
    await expect.poll(bufferBytes, longTimeout).toBeLessThan(before + 34 * megabyte);
    for (const { received } of answered()) {
      expect(received).toMatch(/^HTTP\/1.1 503 /);
      expect(received).toMatch(/\r\nretry-after: 20\r\n/i);
      expect(received).toContain('"code":"service_unavailable"');
    }
    for (const { socket } of uploads) socket.destroy();
    const after = Array.from({ length: 7 }, () => beginUpload(4 * megabyte - 1));
    for (const upload of after) finish(upload);
    for (const upload of after)
      await expect.poll(() => upload.received, longTimeout).toContain('"bytes"');
    for (const { socket } of after) socket.destroy();
    await expect.poll(bufferBytes, longTimeout).toBeLessThan(before + megabyte);
  }, 60_000);
});
