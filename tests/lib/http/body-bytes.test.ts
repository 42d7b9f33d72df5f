import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { bodyLimits } from "../../../lib/body-limits.js";
import { readBytes } from "../../../lib/http/steps/body-bytes.js";

const kilobyte = 1024;
const megabyte = 1024 * kilobyte;
const seconds = 1000;

/** A body that the test sends piece by piece. */
function upload(headers: Record<string, string> = {}) {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
    cancel() {
      isCancelled = true;
    },
  });
  const request = new Request("http://localhost/", {
    method: "POST",
    body,
    headers,
    duplex: "half",
  } as RequestInit);
  return {
    request,
    send: (bytes: number) => controller.enqueue(new Uint8Array(bytes)),
    end: () => isCancelled || controller.close(),
    cut: () => controller.error(new Error("aborted")),
    isCancelled: () => isCancelled,
  };
}

/** The current outcome of the read. */
function outcomeOf(reading: Promise<Uint8Array>) {
  const outcome: { length?: number; code?: string; retryAfterSeconds?: number } = {};
  reading.then(
    ({ length }) => Object.assign(outcome, { length }),
    ({ code, retryAfterSeconds }) => Object.assign(outcome, { code, retryAfterSeconds }),
  );
  return outcome;
}

let timers: {
  started: MockInstance<typeof setTimeout>;
  cleared: MockInstance<typeof clearTimeout>;
};
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  timers = {
    started: vi.spyOn(globalThis, "setTimeout"),
    cleared: vi.spyOn(globalThis, "clearTimeout"),
  };
});
afterEach(() => {
  expect(timersLeft()).toEqual([]);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Timers of bodies only; the embedded Redis of this process has timers too. */
function timersLeft() {
  const cleared = timers.cleared.mock.calls.map(([timer]) => timer);
  const { calls, results } = timers.started.mock;
  return results
    .filter((_, index) => ofBodies.includes(calls[index]?.[1]))
    .map(({ value }) => value)
    .filter((timer) => !cleared.includes(timer));
}
const ofBodies: unknown[] = [bodyLimits.idleMsMax, bodyLimits.totalMsMax];

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("readBytes", () => {
  it("returns the bytes in order", async () => {
    const parts = ["one, ", "two, ", "and ", "three"].map((text) => Buffer.from(text));
    const body = ReadableStream.from(parts);
    const sent = new Request("http://localhost/", {
      method: "POST",
      body,
      duplex: "half",
    } as RequestInit);
    expect(Buffer.from(await readBytes(sent, 19)).toString()).toBe("one, two, and three");
  });
});

describe("the time limit of a body", () => {
  it("expires after 20 s without a byte", async () => {
    const slow = upload();
    const outcome = outcomeOf(readBytes(slow.request, megabyte));
    slow.send(10);
    await advance(19 * seconds);
    slow.send(10);
    await advance(19 * seconds);
    expect(outcome).toEqual({});
    await advance(1 * seconds);
    expect(outcome).toEqual({ code: "body_timeout" });
    expect(slow.isCancelled()).toBe(true);
  });

  it("expires after 20 s when no byte was received", async () => {
    const silent = upload({ "content-length": "100" });
    const outcome = outcomeOf(readBytes(silent.request, megabyte));
    await advance(20 * seconds);
    expect(outcome).toEqual({ code: "body_timeout" });
  });

  it("expires after 240 s in total, however steadily bytes arrive", async () => {
    const slow = upload();
    const outcome = outcomeOf(readBytes(slow.request, megabyte));
    for (let second = 0; second < 240; second += 10) {
      slow.send(1);
      await advance(10 * seconds - 1);
      expect(outcome).toEqual({});
      await advance(1);
    }
    expect(outcome).toEqual({ code: "body_timeout" });
  });

  it("allows 3.4 MB at 25 kB/s", async () => {
    const slow = upload();
    const outcome = outcomeOf(readBytes(slow.request, 4 * megabyte));
    for (let second = 0; second < 136; second++) {
      slow.send(25_000);
      await advance(1 * seconds);
    }
    slow.end();
    await advance(0);
    expect(outcome).toEqual({ length: 3_400_000 });
  });
});

describe("the memory limit of unfinished bodies", () => {
  const fillMemory = async () => {
    const uploads = Array.from({ length: 8 }, () => upload());
    const outcomes = uploads.map(({ request }) => outcomeOf(readBytes(request, 4 * megabyte)));
    for (const { send } of uploads) send(4 * megabyte);
    await advance(0);
    expect(outcomes).toEqual(uploads.map(() => ({})));
    return uploads;
  };
  const sendMore = async () => {
    const more = upload();
    const outcome = outcomeOf(readBytes(more.request, 4 * megabyte));
    more.send(4 * megabyte);
    await advance(0);
    more.end();
    await advance(0);
    return outcome;
  };

  it("is 32 MB, after which a body is refused with Retry-After", async () => {
    const uploads = await fillMemory();
    expect(await sendMore()).toEqual({ code: "service_unavailable", retryAfterSeconds: 20 });
    for (const { end } of uploads) end();
    await advance(0);
  });

  it.each([
    ["finished", ({ end }: ReturnType<typeof upload>) => end()],
    ["aborted by the sender", ({ cut }: ReturnType<typeof upload>) => cut()],
    ["too large", ({ send }: ReturnType<typeof upload>) => send(1)],
    ["timed out", () => vi.advanceTimersByTime(20 * seconds)],
  ])("is released once they are %s", async (_, finish) => {
    for (const each of await fillMemory()) finish(each);
    await advance(0);
    for (const each of await fillMemory()) each.end();
    await advance(0);
  });

  it("counts one buffer per body, however small the chunks are", async () => {
    const tiny = upload();
    const limits = { ...bodyLimits, bufferedBytesMax: 4 * kilobyte };
    const outcome = outcomeOf(readBytes(tiny.request, 4 * kilobyte, limits));
    for (let sent = 0; sent < 4 * kilobyte; sent++) tiny.send(1);
    tiny.end();
    await advance(0);
    expect(outcome).toEqual({ length: 4 * kilobyte });
  });
});
