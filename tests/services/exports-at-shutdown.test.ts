import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import type { ServerProcess } from "../support/server-process.js";
import { type Tokens, useTwoProcesses } from "../support/two-processes.js";

const processes = useTwoProcesses({ environment: { LOG_LEVEL: "INFO" } });

/** Larger than the buffers between the server and a client that does not read. */
async function aLargeAccount(): Promise<Tokens> {
  const person = await processes.aRecordedLearner();
  await processes.sql(
    `insert into xp_entries select $1, 'test', repeat('x', 2000) || n, n, current_date, now() - interval '1 hour', 1
     from generate_series(1, 10000) n`,
    [person.userId],
  );
  return person;
}

/** The head has arrived; the body is not read yet. */
async function download(server: ServerProcess, { accessToken }: Tokens): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${accessToken}` };
  const [reply] = await once(http.get(`${server.url}/api/user/export`, { headers }), "response");
  return reply;
}

async function textOf(reply: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of reply) text += chunk;
  return text;
}

const ends = (server: ServerProcess) =>
  server
    .output()
    .split("\n")
    .filter((line) => line.includes('"evt":"http_request"') && line.includes("/api/user/export"))
    .map((line) => JSON.parse(line).data);

describe("an export that runs at SIGTERM", () => {
  it("is finished when the client reads it, cut after 8 s when not, and logged as it ended", async () => {
    const person = await aLargeAccount();
    const [first, second] = processes.servers as [ServerProcess, ServerProcess];
    const [read, stalled] = [await download(first, person), await download(second, person)];
    expect([ends(first), ends(second)]).toEqual([[], []]);
    stalled.on("error", () => {});
    const stops = [first.stop(), second.stop()];
    JSON.parse(await textOf(read));
    expect(await Promise.all(stops)).toEqual([0, 0]);
    expect(ends(first)).toEqual([expect.objectContaining({ status: 200 })]);
    expect(ends(second)).toEqual([expect.objectContaining({ status: 499, cut: "aborted" })]);
    expect(second.output()).toContain("server_stopped");
    expect(stalled.complete).toBe(false);
    const entries = JSON.stringify(await processes.redis("XRANGE", "events", "-", "+"));
    expect(entries).toContain("499");
  }, 60_000);
});

describe("an export whose connection is cut", () => {
  it("is incomplete for the client, and logged as aborted", async () => {
    const person = await aLargeAccount();
    const server = await processes.start();
    const reply = await download(server, person);
    reply.destroy();
    await expect
      .poll(() => ends(server))
      .toEqual([expect.objectContaining({ status: 499, cut: "aborted" })]);
    await server.stop();
  }, 60_000);
});
