import process from "node:process";
import autocannon from "autocannon";
import type { LoadRequest, LoadResult } from "./load.js";
import { percentile } from "./statistics.js";

/** Runs in a process of its own, so that making the load does not count as serving it. */
const request: LoadRequest = JSON.parse(process.argv[2] ?? "");
const timesMs: number[] = [];
let failures = 0;
let clients = 0;
let startedAt = performance.now();

const load = autocannon(
  {
    url: request.url,
    method: request.method ?? "GET",
    headers: request.headers ?? {},
    connections: request.connections,
    duration: request.seconds,
    // How often it looks whether the time is over.
    sampleInt: 50,
    setupClient: (client) => {
      const refreshToken = request.refreshTokens?.pop();
      if (refreshToken !== undefined) followRefreshes(client, refreshToken);
      if (request.bodies) client.setRequests(beginningElsewhere(request.bodies));
    },
  },
  (error) => {
    if (error) throw error;
    const seconds = (performance.now() - startedAt) / 1000;
    const result: LoadResult = {
      replies: timesMs.length,
      perSecond: timesMs.length / seconds,
      p50Ms: percentile(timesMs, 0.5),
      p95Ms: percentile(timesMs, 0.95),
      p99Ms: percentile(timesMs, 0.99),
      failures,
    };
    console.log(JSON.stringify(result));
  },
);
load.on("start", () => {
  startedAt = performance.now();
});
load.on("response", (_client, status, _bytes, timeMs) => {
  timesMs.push(timeMs);
  if (status !== request.expectedStatus) failures++;
});
load.on("reqError", () => {
  failures++;
});

function beginningElsewhere(bodies: string[]): { body: string }[] {
  const start = Math.floor((clients++ * bodies.length) / request.connections) % bodies.length;
  return [...bodies.slice(start), ...bodies.slice(0, start)].map((body) => ({ body }));
}

/** A session's next token is in the reply to the one before. */
function followRefreshes(client: autocannon.Client, refreshToken: string): void {
  client.setRequests([
    {
      body: JSON.stringify({ refreshToken }),
      onResponse(status, body) {
        if (status === 200) followRefreshes(client, JSON.parse(body).refreshToken);
      },
    },
  ]);
}
