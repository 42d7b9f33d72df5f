import { describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import user from "../../api/user/index.js";
import { billOf, breakEvenPerSecond, uses } from "../../dev/cost/request-cost.js";
import { call } from "../support/call.js";
import { aBoundUser, aUser, password } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();

/**
 * Bytes sent to Redis and received, without headers; replies are counted as large as commands.
 * Event batches serve many requests and are not counted.
 */
function redisBytes(): number {
  const texts = stores.faults.redis.calls.map(({ body }) => JSON.stringify(body));
  const own = texts.filter((text) => !text.includes('"events:bytes"'));
  return own.reduce((sum, text) => sum + 2 * Buffer.byteLength(text), 0);
}

describe("the cost page", () => {
  it("states the calls and bytes of an authenticated read", async () => {
    const { accessToken: token } = await aUser();
    await call(user, "GET", { token });
    await stores.resetCalls();
    await call(user, "GET", { token });
    const { redisCommands, postgresCalls } = stores.calls();
    expect({ redisCommands, statements: postgresCalls }).toEqual({
      redisCommands: uses.read.redisCommands,
      statements: uses.read.statements,
    });
    expect(redisBytes()).toBeLessThanOrEqual(uses.read.redisBytes);
  });

  it("states the maximum for a sign-in, including its work after the response", async () => {
    const { email } = await aBoundUser(stores);
    await call(login, "POST", { body: { email, password } });
    await stores.resetCalls();
    expect(await call(login, "POST", { body: { email, password } })).toMatchObject({ status: 200 });
    await stores.settled();
    const { redisCommands, postgresCalls } = stores.calls();
    expect(redisCommands).toBeLessThanOrEqual(uses.signIn.redisCommands);
    expect(redisCommands).toBeGreaterThan(uses.signIn.redisCommands * 0.7);
    expect(postgresCalls).toBeLessThanOrEqual(uses.signIn.statements);
    expect(redisBytes()).toBeLessThanOrEqual(uses.signIn.redisBytes);
  });

  it("calculates the same bill as a manual calculation", () => {
    const month = (365.25 / 12) * 86_400;
    const bill = billOf(1000);
    expect(bill.commandsPerSecond).toBeCloseTo(8100);
    // The cron job's 20 commands a minute cost under two dollars, and the traffic is 2,630 GB.
    const commands = ((1000 * month * 8.1) / 100_000) * 0.2;
    const traffic = (2629.8 - 200) * 0.03;
    expect(bill.redisPayAsYouGo - commands - traffic).toBeGreaterThan(0);
    expect(bill.redisPayAsYouGo - commands - traffic).toBeLessThan(2);
    expect(bill.redisFixed).toMatchObject({ name: "50 GB", month: 400 });
    expect(bill.activeCpu).toBeCloseTo(0.7 * (month / 3600) * 0.128);
    expect(bill.invocations).toBeCloseTo((1000 * month * 0.6) / 1e6);
    expect(billOf(2000).redisFixed).toBeNull();
    const even = breakEvenPerSecond(400);
    const byCommand = billOf(even).redisPayAsYouGo;
    expect(byCommand).toBeCloseTo(400, 0);
  });
});
