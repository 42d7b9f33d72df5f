import http from "node:http";
import https from "node:https";

export interface HttpReply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface HttpCall {
  headers: Record<string, string>;
  body?: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

// Shorter than a server's keep-alive timeout (Node.js: 5 s): a request on a closing connection is lost, and is not retried.
const idleMsMax = 4000;

const agents = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 64, timeout: idleMsMax }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 64, timeout: idleMsMax }),
};
let lastCallAtMs = 0;

/** `send` with POST. */
export function post(url: URL, call: HttpCall): Promise<HttpReply> {
  return send(url, "POST", call);
}

/**
 * Send a request over a keep-alive connection. Does not follow redirects. Rejects on connection errors and after `timeoutMs` (`TimeoutError`). Never retries:
 * the lost reply may be of a completed write. node:http needs a quarter of the CPU of fetch (docs/decisions/002).
 */
export function send(url: URL, method: string, call: HttpCall): Promise<HttpReply> {
  dropConnectionsOfAFrozenProcess();
  return new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? https : http;
    const request = client.request(
      url,
      {
        method,
        agent: agents[url.protocol as keyof typeof agents],
        headers: {
          ...call.headers,
          ...(call.body !== undefined && { "content-length": Buffer.byteLength(call.body) }),
        },
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

/** A frozen function runs no timers, and in that time servers close the connections. */
function dropConnectionsOfAFrozenProcess(): void {
  const now = Date.now();
  if (now - lastCallAtMs > idleMsMax) dropIdleConnections();
  lastCallAtMs = now;
}

export function dropIdleConnections(): void {
  for (const { freeSockets } of Object.values(agents)) {
    for (const sockets of Object.values(freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
}
