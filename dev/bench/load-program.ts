import process from "node:process";
import autocannon from "autocannon";
import type { LoadRequest, LoadResult } from "./load.js";
import { percentile } from "./statistics.js";

/** Runs in a process of its own, so that making the load does not count as serving it. */
const request: LoadRequest = JSON.parse(process.argv[2] ?? "");
const timesMs: number[] = [];
let failures = 0;
let startedAt = performance.now();

const load = autocannon(
  {
    url: request.url,
    method: request.method ?? "GET",
    headers: request.headers ?? {},
    ...(request.body === undefined ? {} : { body: request.body }),
    connections: request.connections,
    duration: request.seconds,
    // How often it looks whether the time is over.
    sampleInt: 50,
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
