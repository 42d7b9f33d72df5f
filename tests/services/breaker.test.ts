import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { startToolkitEndpoint, type ToolkitEndpoint } from "../../dev/toolkit/toolkit-endpoint.js";
import { multipart, wav } from "../support/recordings.js";
import { times, useTwoProcesses } from "../support/two-processes.js";

const environment: Record<string, string> = {};
let toolkit: ToolkitEndpoint;

beforeAll(async () => {
  toolkit = await startToolkitEndpoint("tk_test");
  environment.EXPO_PUBLIC_TOOLKIT_URL = toolkit.url;
  environment.TOOLKIT_API_KEY = "tk_test";
});
afterAll(() => toolkit.close());

const processes = useTwoProcesses({ environment });
beforeAll(async () => {
  processes.servers.push(await processes.start());
  // A new server ignores the state in Redis until it has restored the recorded one.
  for (const { url, output } of processes.servers) {
    await fetch(`${url}/api/livez`);
    await vi.waitFor(() => expect(output()).toContain("redis_caught_up"), { timeout: 10_000 });
  }
});

beforeEach(async () => {
  await processes.redis("DEL", "gate", "breaker:toolkit");
  toolkit.fail(null);
  toolkit.requests.length = 0;
});

/** Transcribe speech as a new user, on the server of this turn. */
async function transcribe(turn: number): Promise<number> {
  const { accessToken } = await processes.aRecordedLearner();
  const { body, headers } = await multipart(wav(0.1));
  const response = await fetch(`${processes.at(turn)}/api/stt/transcribe`, {
    method: "POST",
    headers: { ...headers, authorization: `Bearer ${accessToken}` },
    body: new Uint8Array(body),
  });
  await response.arrayBuffer();
  return response.status;
}

const state = async () => String(await processes.redis("HGET", "gate", "breaker:toolkit"));

/** End the open time of the breaker now. */
async function endOpenTime(): Promise<void> {
  const [, generation] = (await state()).split(":");
  await processes.redis("HSET", "gate", "breaker:toolkit", `open:${generation}:1`);
}

async function open(): Promise<void> {
  toolkit.fail({ kind: "status", status: 500 });
  await Promise.all(times(3, transcribe));
  await expect.poll(state).toMatch(/^open:1:\d+$/);
}

it("opens for three processes by the failures of all of them, and calls nothing while it is open", async () => {
  await open();
  toolkit.requests.length = 0;
  expect(await Promise.all(times(6, transcribe))).toEqual(Array(6).fill(503));
  expect(toolkit.requests).toHaveLength(0);
});

it("lets exactly one of three processes probe, and closes for all after a success", async () => {
  await open();
  await endOpenTime();
  toolkit.requests.length = 0;
  toolkit.fail({ kind: "latency", ms: 1500 });
  const answers = await Promise.all(times(9, transcribe));
  expect(answers.filter((status) => status === 200)).toHaveLength(1);
  expect(toolkit.requests).toHaveLength(1);
  await expect.poll(state).toBe("closed:2:0");
  toolkit.fail(null);
  expect(await Promise.all(times(3, transcribe))).toEqual([200, 200, 200]);
});

it("probes once, and stays open twice as long when the probe fails", async () => {
  await open();
  await endOpenTime();
  toolkit.requests.length = 0;
  expect(await transcribe(1)).toBe(503);
  expect(toolkit.requests).toHaveLength(1);
  await expect.poll(state).toMatch(/^open:2:\d+$/);
  const until = Number((await state()).split(":")[2]);
  // Twice five seconds plus up to 50 % jitter, minus the few seconds since the probe.
  expect(until - Date.now()).toBeGreaterThan(5000);
  expect(until - Date.now()).toBeLessThanOrEqual(15_000);
});

it("writes no breaker state to Redis while the toolkit works", async () => {
  expect(await Promise.all(times(6, transcribe))).toEqual(Array(6).fill(200));
  expect(await processes.redis("EXISTS", "breaker:toolkit")).toBe(0);
  expect(await processes.redis("HEXISTS", "gate", "breaker:toolkit")).toBe(0);
});

it("stays forced open or forced closed, for any number of failures", async () => {
  await processes.redis("HSET", "gate", "breaker:toolkit", "forced_open:7:0");
  expect(await Promise.all(times(3, transcribe))).toEqual([503, 503, 503]);
  expect(toolkit.requests).toHaveLength(0);
  await processes.redis("HSET", "gate", "breaker:toolkit", "forced_closed:8:0");
  toolkit.fail({ kind: "status", status: 500 });
  await Promise.all(times(6, transcribe));
  expect(await state()).toBe("forced_closed:8:0");
  // Six calls with two retries each.
  expect(toolkit.requests).toHaveLength(18);
});
