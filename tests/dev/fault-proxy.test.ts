import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../../dev/fault-proxy.js";
import { post } from "../../lib/platform/keep-alive-http.js";

describe("the fault proxy", () => {
  let target: Server;
  let proxy: FaultProxy;
  let arrived: string[] = [];

  beforeAll(async () => {
    target = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      arrived.push(`${request.method} ${request.url} ${body}`);
      response.writeHead(418, { "x-answer": "yes" }).end(`answer to ${body}`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    proxy = await startFaultProxy(`http://127.0.0.1:${port}`);
  });
  afterEach(async () => {
    await proxy.reset();
    arrived = [];
  });
  afterAll(async () => {
    await proxy.close();
    await new Promise((resolve) => target.close(resolve));
  });

  function call(body: unknown, timeoutMs = 5000) {
    return post(new URL("/sql?a=1", proxy.url), {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      timeoutMs,
    });
  }

  it("forwards a call and its reply, and records the call", async () => {
    expect(await call(["GET", "é"])).toMatchObject({
      status: 418,
      body: 'answer to ["GET","é"]',
      headers: { "x-answer": "yes" },
    });
    expect(proxy.calls).toEqual([{ path: "/sql?a=1", body: ["GET", "é"] }]);
    await proxy.reset();
    expect(proxy.calls).toEqual([]);
  });

  it("refuses new and kept-alive connections, and then accepts connections on the same port again", async () => {
    await call("before");
    await proxy.set({ kind: "refuse" });
    await expect(call("kept alive")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(fetch(proxy.url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    await proxy.set(null);
    expect((await call("after")).status).toBe(418);
    expect(proxy.calls.map(({ body }) => body)).toEqual(["before", "after"]);
  });

  it("resets the connection before the target receives the call", async () => {
    await proxy.set({ kind: "reset" });
    await expect(call("lost")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(arrived).toEqual([]);
    expect(proxy.calls).toHaveLength(1);
  });

  it("drops the reply after the target has sent it", async () => {
    await proxy.set({ kind: "lose-reply" });
    await expect(call("done")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(arrived).toEqual(['POST /sql?a=1 "done"']);
  });

  it("replies with invalid JSON, without calling the target", async () => {
    await proxy.set({ kind: "garbage" });
    const { status, body } = await call("x");
    expect(status).toBe(200);
    expect(() => JSON.parse(body)).toThrow();
    expect(arrived).toEqual([]);
  });

  it("never replies when set to hang", async () => {
    await proxy.set({ kind: "hang" });
    await expect(call("x", 50)).rejects.toMatchObject({ name: "TimeoutError" });
    expect(arrived).toEqual([]);
  });

  it("delays each call when set to add latency", async () => {
    await proxy.set({ kind: "latency", ms: 100 });
    await expect(call("x", 50)).rejects.toMatchObject({ name: "TimeoutError" });
    expect((await call("y")).status).toBe(418);
  });

  it("stops failing after the given number of calls", async () => {
    await proxy.set({ kind: "reset", times: 2 });
    await expect(call(1)).rejects.toThrow();
    await expect(call(2)).rejects.toThrow();
    expect((await call(3)).status).toBe(418);
  });

  it("fails only the calls that match", async () => {
    await proxy.set({ kind: "reset", times: 1, match: (body) => body === "write" });
    expect((await call("read")).status).toBe(418);
    await expect(call("write")).rejects.toThrow();
    expect((await call("write")).status).toBe(418);
  });
});
