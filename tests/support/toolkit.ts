import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach } from "vitest";

export interface Toolkit {
  readonly url: string;
  /** Its reply from now on: a status, or "nothing" for no reply. */
  answer: number | "nothing";
  requests: { path: string; headers: http.IncomingHttpHeaders }[];
}

/** Simulate the toolkit in this test file; it works at the start of each test. */
export function useToolkit(): Toolkit {
  let url = "";
  const toolkit: Toolkit = {
    get url() {
      return url;
    },
    answer: 200,
    requests: [],
  };
  const server = http.createServer(({ url: path = "", headers }, response) => {
    toolkit.requests.push({ path, headers });
    if (toolkit.answer !== "nothing") response.writeHead(toolkit.answer).end();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    toolkit.answer = 200;
    toolkit.requests = [];
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return toolkit;
}
