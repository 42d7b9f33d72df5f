import process from "node:process";
import autocannon from "autocannon";
import type { LoadRequest, LoadResult } from "./rounds.js";

const request: LoadRequest = JSON.parse(process.argv[2] ?? "");
const { bodies = [], refreshTokens, status = 200, connections, seconds } = request;
let clients = 0;

const { requests, latency, statusCodeStats, errors, duration } = await autocannon({
  url: request.url,
  method: request.method ?? "GET",
  headers: request.headers ?? {},
  connections,
  duration: seconds,
  // How often the end is checked, in ms.
  sampleInt: 50,
  setupClient(client) {
    const index = clients++;
    const start = Math.floor((index * bodies.length) / connections);
    const rotated = [...bodies.slice(start), ...bodies.slice(0, start)];
    if (rotated.length > 0) client.setRequests(rotated.map((body) => ({ body })));
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
