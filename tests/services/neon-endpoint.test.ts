import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";

const connectionString = "postgresql://tester:secret@127.0.0.1/test";
const headers = {
  "Neon-Connection-String": connectionString,
  "Neon-Raw-Text-Output": "true",
  "Neon-Array-Mode": "true",
};

describe("the Neon endpoint over a real server", () => {
  it("cancels the query on the server when the client disconnects", async () => {
    const pool = postgresPool(process.env.TEST_DATABASE_URL ?? "");
    const endpoint = await startNeonEndpoint({ backend: pool, connectionString });
    const mark = `/* ${Math.random()} */`;
    const client = new AbortController();
    const request = fetch(endpoint.url, {
      method: "POST",
      headers,
      body: JSON.stringify({ query: `SELECT pg_sleep(60) ${mark}` }),
      signal: client.signal,
    });
    const running = async () =>
      (
        await pool.query({
          text: `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = $1`,
          params: [`SELECT pg_sleep(60) ${mark}`],
        })
      ).rows.length;
    while ((await running()) === 0) await sleep(10);
    client.abort();
    await expect(request).rejects.toThrow();
    while ((await running()) > 0) await sleep(10);
    await endpoint.close();
    await pool.close();
  });
});
