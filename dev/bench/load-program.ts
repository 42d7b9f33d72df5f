import process from "node:process";
import { json } from "node:stream/consumers";
import autocannon from "autocannon";
import type { LoadRequest, LoadResult } from "./rounds.js";

const request = (await json(process.stdin)) as LoadRequest;
const { bodies = [], callers = [], headers = {}, refreshTokens } = request;
const { status = 200, connections, seconds } = request;
let clients = 0;

const { requests, latency, statusCodeStats, errors, duration } = await autocannon({
  url: request.url,
  method: request.method ?? "GET",
  headers,
  connections,
  duration: seconds,
  // How often the end is checked, in ms.
  sampleInt: 50,
  setupClient(client) {
    const index = clients++;
    const startOf = (items: unknown[], at: number) => Math.floor((at * items.length) / connections);
    const start = startOf(bodies, index);
    const rotated = [...bodies.slice(start), ...bodies.slice(0, start)];
    if (rotated.length > 0) client.setRequests(rotated.map((body) => ({ body })));
    const own = callers.slice(startOf(callers, index), startOf(callers, index + 1));
    if (own.length > 0)
      client.setRequests(own.map((caller) => ({ headers: { ...headers, ...caller } })));
    if (refreshTokens) refreshInTurn(client, refreshTokens[index] ?? "");
  },
});
const replies = requests.total;
const result: LoadResult = {
  replies,
  perSecond: replies / duration,
  p50Ms: latency.p50,
  p97Ms: latency.p97_5,
  p99Ms: latency.p99,
  failures: errors + replies - (statusCodeStats?.[`${status}`]?.count ?? 0),
};
console.log(JSON.stringify(result));

function refreshInTurn(client: autocannon.Client, refreshToken: string): void {
  const body = JSON.stringify({ refreshToken });
  const onResponse = (replied: number, text: string) => {
    if (replied === 200) refreshInTurn(client, JSON.parse(text).refreshToken);
  };
  client.setRequests([{ body, onResponse }]);
}
