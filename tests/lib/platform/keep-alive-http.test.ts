import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { post } from "../../../lib/platform/keep-alive-http.js";

describe("post over a kept-alive connection", () => {
  let server: Server;
  let url: URL;
  let connections = 0;
  let answer: RequestListener;

  beforeEach(async () => {
    connections = 0;
    answer = async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.end(`${request.method} ${request.headers["x-name"]} ${body}`);
    };
    server = createServer((request, response) => answer(request, response));
    server.on("connection", () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function send(signal?: AbortSignal) {
    return post(url, { headers: { "x-name": "value" }, body: "é", timeoutMs: 200, signal });
  }

  it("sends headers and body, over one connection", async () => {
    for (let i = 0; i < 3; i++) {
      expect(await send()).toMatchObject({ status: 200, body: "POST value é" });
    }
    expect(connections).toBe(1);
  });

  it("opens a new connection after a pause in which the server may have closed the old one", async () => {
    await send();
    const later = Date.now() + 5000;
    vi.spyOn(Date, "now").mockReturnValue(later);
    await send();
    expect(connections).toBe(2);
  });

  it("rejects when the connection is cut during the response", async () => {
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.socket?.destroy());
    };
    await expect(send()).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("rejects when the response does not end in time", async () => {
    answer = (_request, response) => {
      response.write("the beginning");
    };
    await expect(send()).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("rejects when it is aborted", async () => {
    answer = () => undefined;
    const controller = new AbortController();
    const reply = send(controller.signal);
    controller.abort();
    await expect(reply).rejects.toMatchObject({ name: "AbortError" });
  });
});
