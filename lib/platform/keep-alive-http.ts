import http from "node:http";
import https from "node:https";

export interface HttpReply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface HttpCall {
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

// Shorter than servers keep a silent connection (Node.js: 5 s): a request sent into one that is being
// closed is lost, and it may not be repeated.
const idleMsMax = 4000;

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 64, timeout: idleMsMax }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 64, timeout: idleMsMax }),
};
let lastCallAtMs = 0;

/**
 * POST a text body over a kept-alive connection.
 *
 * Rejects on a refused or cut connection and after `timeoutMs` (an error named `TimeoutError`); sends
 * once and never retries, because a lost reply may belong to a write that happened. node:http costs a
 * quarter of the CPU of the global fetch here (docs/decisions/002-transports.md).
 */
export function post(url: URL, call: HttpCall): Promise<HttpReply> {
  dropConnectionsOfAFrozenProcess();
  return new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? https : http;
    const request = client.request(
      url,
      {
        method: "POST",
        agent: agents[url.protocol as keyof typeof agents],
        headers: { ...call.headers, "content-length": Buffer.byteLength(call.body) },
        ...(call.signal ? { signal: call.signal } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          clearTimeout(timer);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          });
        });
      },
    );
    const timer = setTimeout(() => {
      const error = new Error(`No reply from ${url.host} within ${call.timeoutMs} ms.`);
      error.name = "TimeoutError";
      request.destroy(error);
      fail(error);
    }, call.timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    request.on("error", fail);
    request.end(call.body);
  });
}

/** While a function is frozen between requests, no timer of the agents runs, and the servers hang up. */
function dropConnectionsOfAFrozenProcess(): void {
  const now = Date.now();
  if (now - lastCallAtMs > idleMsMax) dropIdleConnections();
  lastCallAtMs = now;
}

/** Make the next calls connect anew. */
export function dropIdleConnections(): void {
  for (const { freeSockets } of Object.values(agents)) {
    for (const sockets of Object.values(freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
}
