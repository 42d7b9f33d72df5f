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
  it("passes parameters on in Postgres' text form", async () => {
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
    ["no JSON", "{"],
    ["no query", "{}"],
    ["null", "null"],
    ["parameters that are no array", '{"query":"q","params":1}'],
    ["a batch with something else in it", '{"queries":[1]}'],
  ])("answers 400 to a body with %s", async (_, body) => {
    expect(await post(await serve(), body)).toMatchObject({
      status: 400,
      body: { message: expect.any(String) },
    });
  });

  it("answers 400 to an isolation level that does not exist", async () => {
    const reply = await post(await serve(), '{"queries":[]}', {
      "Neon-Batch-Isolation-Level": "Chaos",
    });
    expect(reply).toMatchObject({ status: 400 });
  });

  it.each([
    ["the password", "postgresql://tester:wrong@127.0.0.1/test", "28P01"],
    ["the user", "postgresql://other:secret@127.0.0.1/test", "28P01"],
    ["the database", "postgresql://tester:secret@127.0.0.1/other", "3D000"],
    ["everything", "nonsense", "08P01"],
  ])("refuses a connection string with %s wrong", async (_, given, code) => {
    const reply = await post(await serve(answering("x")), '{"query":"q"}', {
      "Neon-Connection-String": given,
    });
    expect(reply).toMatchObject({ status: 400, body: { code } });
  });

  it("gives the unmodified client the refusal's code", async () => {
    const wrong = new URL(connectionString);
    wrong.port = new URL(await serve()).port;
    wrong.password = "wrong";
    await expect(neon(wrong.href)`SELECT 1`).rejects.toMatchObject({ code: "28P01" });
  });

  it("answers 413 to a request over 64 MB and 507 instead of a reply over it", async () => {
    const large = "x".repeat(64 * 1024 * 1024 + 1);
    const url = await serve(answering(large));
    expect(await post(url, large)).toMatchObject({ status: 413 });
    expect(await post(url, '{"query":"q"}')).toMatchObject({ status: 507 });
  });

  it("answers 503 when the server behind it is away", async () => {
    const url = await serve({ query: () => Promise.reject(new Error("away")) });
    expect(await post(url, '{"query":"q"}')).toEqual({ status: 503, body: { message: "away" } });
  });

  it("answers 404 to anything but POST /sql", async () => {
    const url = await serve();
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}/x`, { method: "POST" })).status).toBe(404);
  });

  it("aborts the query of a client that goes away", async () => {
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
