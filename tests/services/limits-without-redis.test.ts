import { afterEach, describe, expect, it } from "vitest";
import { useRedisServer } from "../support/redis-server.js";
import { type Tokens, times, useTwoProcesses } from "../support/two-processes.js";

const max = 20;
const redisServer = useRedisServer();
const processes = useTwoProcesses({
  redisUrl: () => redisServer.url,
  // One window for the whole file.
  environment: { RATE_LIMIT_MAX_REQUESTS: String(max), RATE_LIMIT_WINDOW_MS: "86400000" },
});

afterEach(async () => {
  redisServer.resume();
  await redisServer.start();
});

const passed = (answers: Response[]) => answers.filter(({ status }) => status === 200).length;
const readAll = (count: number, turnOf: (index: number) => number, person: Tokens) =>
  Promise.all(times(count, (index) => processes.read(turnOf(index), person)));

describe.each<[string, () => Promise<void> | void]>([
  ["is down", () => redisServer.kill()],
  ["hangs", () => redisServer.pause()],
])("while Redis %s", (_, begin) => {
  it("limits the requests to one instance", async () => {
    const person = await processes.aRecordedLearner();
    expect((await processes.read(0, person)).status).toBe(200);
    await begin();
    expect(passed(await readAll(60, () => 0, person))).toBe(max - 1);
  });

  it("limits the requests to each of two instances", async () => {
    const person = await processes.aRecordedLearner();
    await begin();
    const answers = await readAll(120, (index) => index % 2, person);
    expect(passed(answers)).toBe(2 * max);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(120 - 2 * max);
  });
});

it("counts in Redis again after Redis has recovered, so that deleting its key resets the limit", async () => {
  const person = await processes.aRecordedLearner();
  await redisServer.kill();
  expect(passed(await readAll(30, () => 0, person))).toBe(max);
  await redisServer.start();
  const read = async () => (await processes.read(0, person)).status;
  await expect.poll(read, { timeout: 20_000, interval: 250 }).toBe(200);
  await readAll(30, () => 0, person);
  await expect.poll(read, { timeout: 5000 }).toBe(429);
  const keys = (await redisServer.command(
    "KEYS",
    `rate:default:session:${person.sessionId}:*`,
  )) as string[];
  await redisServer.command("DEL", ...keys);
  await expect.poll(read, { timeout: 5000 }).toBe(200);
});
