import { createServer, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { runOpenLoop } from "../../dev/bench/open-loop.js";
import { createMix, type LoadCall } from "../../dev/bench/open-mix.js";
import { listenLocally } from "../../dev/listen-locally.js";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const call: LoadCall = {
  kind: "read",
  method: "GET",
  path: "/",
  address: "100.64.0.1",
  status: 200,
};

describe("an open-loop load", () => {
  it("counts a stall of the server for every call that was due during it", async () => {
    const waiting: ServerResponse[] = [];
    let isStalled = true;
    const server = createServer((_, response) => {
      if (isStalled) waiting.push(response);
      else response.end("ok");
    });
    const { url, close } = await listenLocally(server);
    closing.push(close);
    setTimeout(() => {
      isStalled = false;
      for (const response of waiting) response.end("ok");
    }, 500);
    const { latencies, errors } = await runOpenLoop(url, { seconds: 1, rate: 100 }, () => call);
    expect(latencies.all).toMatchObject({ calls: 100 });
    expect(latencies.read?.maxMs).toBeGreaterThan(450);
    // 50 calls were due in the first half second, and waited 250 ms on average.
    expect(latencies.read?.p95Ms).toBeGreaterThan(350);
    expect(errors).toEqual({});
  });

  it("counts a reply that is cut", async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("one");
      setTimeout(() => response.destroy(), 10);
    });
    const { url, close } = await listenLocally(server);
    closing.push(close);
    const { errors } = await runOpenLoop(url, { seconds: 0.05, rate: 100 }, () => call);
    expect(errors).toEqual({ "read ECONNRESET": 5 });
  });

  it("counts replies with another status, and connection errors, by kind", async () => {
    const server = createServer((request, response) => {
      if (request.headers["x-forwarded-for"] === "100.64.0.9") response.destroy();
      else response.writeHead(503).end();
    });
    const { url, close } = await listenLocally(server);
    closing.push(close);
    let sent = 0;
    const next = () => ({ ...call, address: sent++ % 2 ? "100.64.0.9" : "100.64.0.1" });
    const { errors } = await runOpenLoop(url, { seconds: 0.1, rate: 100 }, next);
    expect(errors).toEqual({ "read 503": 5, "read ECONNRESET": 5 });
  });
});

describe("the mix of calls", () => {
  const people = Array.from({ length: 100 }, (_, index) => ({
    authorization: `Bearer a${index}`,
    refreshToken: `r${index}`,
    address: `100.64.0.${index}`,
  }));
  const logins = Array.from({ length: 1000 }, () => ({ body: "{}", address: "100.65.0.1" }));

  it("has the shares of a realistic load", () => {
    const next = createMix(structuredClone(people), structuredClone(logins));
    const counts: Record<string, number> = {};
    for (let n = 0; n < 20_000; n += 1) {
      const { kind, done } = next();
      counts[kind] = (counts[kind] ?? 0) + 1;
      done?.('{"accessToken":"a","refreshToken":"r"}');
    }
    const shares = { read: 0.8, refresh: 0.1, write: 0.05, refused: 0.04, login: 0.01 };
    for (const [kind, share] of Object.entries(shares)) {
      // Six standard deviations.
      const most = 6 * Math.sqrt((share * (1 - share)) / 20_000);
      expect(Math.abs((counts[kind] ?? 0) / 20_000 - share), kind).toBeLessThan(most);
    }
  });

  it("refreshes each person with the newest token, one refresh at a time", () => {
    const [person] = structuredClone(people);
    if (!person) throw new Error("No person.");
    const next = createMix([person], []);
    const nextRefresh = () => {
      for (;;) {
        const found = next();
        if (found.kind === "refresh") return found;
      }
    };
    const first = nextRefresh();
    expect(first.body).toBe('{"refreshToken":"r0"}');
    expect(nextRefresh).toThrow("All people are refreshing");
    first.done?.("FUNCTION_INVOCATION_TIMEOUT");
    expect(nextRefresh).toThrow("All people are refreshing");
    first.done?.('{"accessToken":"a2","refreshToken":"r2"}');
    expect(nextRefresh().body).toBe('{"refreshToken":"r2"}');
    expect(person.authorization).toBe("Bearer a2");
  });
});
