import "../../../support/environment.js";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadedFunction } from "../../../../lib/self-hosted/server/invocation.js";
import {
  type Route,
  type RunningServer,
  startServer,
} from "../../../../lib/self-hosted/server/server.js";

export const json = { "content-type": "application/json" };

export function route(path: string, fetch: LoadedFunction["fetch"], maxDuration?: number): Route {
  return { path, load: async () => ({ fetch, maxDuration }) };
}

/** Starts a server with these routes on a free port. */
export function serve(
  routes: Route[],
  options: Partial<Parameters<typeof startServer>[0]> = {},
): Promise<RunningServer> {
  return startServer({
    port: 0,
    routes: () => routes,
    unmatched: {
      fetch: (request) => new Response(new URL(request.url).pathname, { status: 404 }),
    },
    publicDirectory: "public",
    trustedProxies: [],
    log: () => {},
    ...options,
  });
}

export function streamOf(chunks: string[], failure?: Error): ReadableStream<Uint8Array> {
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

export interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

/** Call a server without what `fetch` would add, forbid, decode or normalize. */
export function call(
  server: RunningServer,
  path: string,
  options: http.RequestOptions & { body?: string | Buffer } = {},
): Promise<Reply> {
  const { body, ...init } = options;
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port: server.port, path, agent: false, ...init },
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
