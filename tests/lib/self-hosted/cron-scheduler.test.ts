import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Cron } from "croner";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readProjectSettings } from "../../../dev/build/platform-config.js";
import { startCronScheduler } from "../../../lib/self-hosted/cron-scheduler.js";

const eachSecond = "* * * * * *";

describe("startClock", () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let calls: IncomingMessage[];
  let failures: string[];
  let clocks: ReturnType<typeof startCronScheduler>[];

  beforeEach(async () => {
    [calls, failures, clocks] = [[], [], []];
    answer = (_, response) => response.end();
    server = createServer((request, response) => {
      calls.push(request);
      answer(request, response);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  });
  afterEach(() => {
    for (const clock of clocks) clock.stop();
    server.closeAllConnections();
    server.close();
  });
  const start = (...crons: { path: string; schedule: string }[]) => {
    const { port } = server.address() as AddressInfo;
    const messages = failures;
    const log = (message: string) => void messages.push(message);
    const clock = startCronScheduler({ crons, port, secret: "the-secret", log });
    clocks.push(clock);
    return clock;
  };
  const callsOf = (path: string) => calls.filter(({ url }) => url === path).length;
  const pollOptions = { timeout: 15_000 };

  it("calls each route only when it is due, with the secret", async () => {
    start({ path: "/due", schedule: eachSecond }, { path: "/not-due", schedule: "0 0 29 2 *" });
    await expect.poll(() => callsOf("/due"), pollOptions).toBeGreaterThan(1);
    expect(calls[0]).toMatchObject({
      method: "GET",
      headers: { authorization: "Bearer the-secret" },
    });
    expect(callsOf("/not-due")).toBe(0);
    expect(failures).toEqual([]);
  });

  it("calls every cron of vercel.json when it is due", async () => {
    const { crons } = readProjectSettings(readFileSync("vercel.json", "utf8"));
    expect(crons.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["/api/cron/tick", "/api/cron/cleanup"]),
    );
    for (const cron of crons) {
      const due = new Cron(cron.schedule, { timezone: "UTC" }).nextRun() ?? new Date(0);
      vi.useFakeTimers({ toFake: ["Date"], now: due.getTime() - 1000 });
      try {
        const clock = start(cron);
        vi.setSystemTime(due.getTime() - 1);
        await expect.poll(() => callsOf(cron.path), pollOptions).toBe(1);
        clock.stop();
      } finally {
        vi.useRealTimers();
      }
    }
    expect(failures).toEqual([]);
  });

  it("skips a call while the previous one is in progress", async () => {
    let finish = () => {};
    answer = ({ url }, response) => {
      if (url === "/slow") finish = () => response.end();
      else response.end();
    };
    start({ path: "/slow", schedule: eachSecond }, { path: "/quick", schedule: eachSecond });
    await expect.poll(() => callsOf("/quick"), pollOptions).toBe(3);
    expect(callsOf("/slow")).toBe(1);
    finish();
    await expect.poll(() => callsOf("/slow"), pollOptions).toBe(2);
  });

  it("reports a failed call and continues", async () => {
    answer = (_, response) => response.destroy();
    start({ path: "/broken", schedule: eachSecond });
    await expect.poll(() => failures.length, pollOptions).toBeGreaterThan(1);
    expect(failures[0]).toBe("Cron call failed: /broken");
  });

  it("makes no call after it is stopped", async () => {
    const stopped = start({ path: "/stopped", schedule: eachSecond });
    start({ path: "/running", schedule: eachSecond });
    await expect.poll(() => callsOf("/stopped"), pollOptions).toBeGreaterThan(0);
    stopped.stop();
    const [before, running] = [callsOf("/stopped"), callsOf("/running")];
    await expect.poll(() => callsOf("/running"), pollOptions).toBeGreaterThan(running + 2);
    expect(callsOf("/stopped")).toBe(before);
  });
});
