import { neon } from "@neondatabase/serverless";
import { afterEach, describe, expect, it } from "vitest";
import type { SqlBackend } from "../../../lib/platform/postgres-transport/neon-protocol.js";
import { startNeonEndpoint } from "../../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import "./served-database.js";

const connectionString = "postgresql://tester:secret@127.0.0.1/test";
const headers = {
  "Neon-Connection-String": connectionString,
  "Neon-Raw-Text-Output": "true",
  "Neon-Array-Mode": "true",
};

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function serve(backend: Partial<SqlBackend> = {}): Promise<string> {
  const unused = () => Promise.reject(new Error("not expected to be called"));
  const endpoint = await startNeonEndpoint({
    backend: { query: unused, batch: unused, ...backend },
    connectionString,
  });
  close = endpoint.close;
  return endpoint.url;
}

function answering(value: string): Partial<SqlBackend> {
  return {
    query: async () => ({ fields: [], rows: [[value]], command: "SELECT", rowCount: 1 }),
  };
}

async function post(url: string, body: string, more: Record<string, string> = {}) {
  const response = await fetch(url, { method: "POST", body, headers: { ...headers, ...more } });
  return { status: response.status, body: await response.json() };
}

describe("the Neon endpoint", () => {
  it("forwards parameters in the text format of Postgres", async () => {
    let params: unknown;
    const url = await serve({
      query: async (statement) => {
        params = statement.params;
        return { fields: [], rows: [], command: "SELECT", rowCount: 0 };
      },
    });
    await post(
      url,
      JSON.stringify({
        query: "q",
        params: [null, "text", true, 1.5, { a: [1] }, [1, null, 'a"\\b', ["x"], {}]],
      }),
    );
    expect(params).toEqual([
      null,
      "text",
      "true",
      "1.5",
      '{"a":[1]}',
      '{"1",NULL,"a\\"\\\\b",{"x"},"{}"}',
    ]);
  });

  it.each([
    ["invalid JSON", "{"],
    ["no query", "{}"],
    ["null", "null"],
    ["parameters that are not an array", '{"query":"q","params":1}'],
    ["a batch that contains a non-query", '{"queries":[1]}'],
  ])("returns 400 for a body with %s", async (_, body) => {
    expect(await post(await serve(), body)).toMatchObject({
      status: 400,
      body: { message: expect.any(String) },
    });
  });

  it("returns 400 for an unknown isolation level", async () => {
    const reply = await post(await serve(), '{"queries":[]}', {
      "Neon-Batch-Isolation-Level": "Chaos",
    });
    expect(reply).toMatchObject({ status: 400 });
  });

  it.each([
    ["wrong password", "postgresql://tester:wrong@127.0.0.1/test", "28P01"],
    ["wrong user", "postgresql://other:secret@127.0.0.1/test", "28P01"],
    ["wrong database", "postgresql://tester:secret@127.0.0.1/other", "3D000"],
    ["wrong format", "nonsense", "08P01"],
  ])("rejects a connection string with the %s", async (_, given, code) => {
    const reply = await post(await serve(answering("x")), '{"query":"q"}', {
      "Neon-Connection-String": given,
    });
    expect(reply).toMatchObject({ status: 400, body: { code } });
  });

  it("passes the error code to the unmodified client", async () => {
    const wrong = new URL(connectionString);
    wrong.port = new URL(await serve()).port;
    wrong.password = "wrong";
    await expect(neon(wrong.href)`SELECT 1`).rejects.toMatchObject({ code: "28P01" });
  });

  it("returns 413 for a request over 64 MB, and 507 when the reply would be over 64 MB", async () => {
    const large = "x".repeat(64 * 1024 * 1024 + 1);
    const url = await serve(answering(large));
    expect(await post(url, large)).toMatchObject({ status: 413 });
    expect(await post(url, '{"query":"q"}')).toMatchObject({ status: 507 });
  });

  it("returns 503 when the database server is unreachable", async () => {
    const url = await serve({ query: () => Promise.reject(new Error("away")) });
    expect(await post(url, '{"query":"q"}')).toEqual({ status: 503, body: { message: "away" } });
  });

  it("returns 404 for everything except POST /sql", async () => {
    const url = await serve();
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}/x`, { method: "POST" })).status).toBe(404);
  });

  it("aborts the query when the client disconnects", async () => {
    let aborted: (() => void) | undefined;
    const isAborted = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    let started: (() => void) | undefined;
    const isStarted = new Promise<void>((resolve) => {
      started = resolve;
    });
    const url = await serve({
      query: (_, signal) => {
        signal?.addEventListener("abort", () => aborted?.());
        started?.();
        return new Promise(() => {});
      },
    });
    const client = new AbortController();
    const request = fetch(url, {
      method: "POST",
      headers,
      body: '{"query":"q"}',
      signal: client.signal,
    });
    await isStarted;
    client.abort();
    await expect(request).rejects.toThrow();
    await isAborted;
  });
});
