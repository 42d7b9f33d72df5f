import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import { env } from "../../../lib/env.js";
import { countRequest, refund } from "../../../lib/rate-limit/limiter.js";
import { countLocally } from "../../../lib/rate-limit/local-counts.js";
import { limitsOf } from "../../../lib/rate-limit/policies.js";
import { releaseLater, reserve as reserveCounts } from "../../../lib/rate-limit/reservation.js";
import { countInPostgres, refundInPostgres } from "../../../lib/rate-limit/strict-fallback.js";
import { roundTrip } from "../../../lib/redis/client.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { aContext } from "../../support/context.js";
import { aBoundUser, anAddress, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const clock = useStillClock();

const limit = () => limitsOf(env())["auth-failures"].filter(({ kind }) => kind === "ip");

async function reserve(ip: string) {
  const trip = roundTrip(aContext());
  const [counts] = await Promise.all([
    countRequest(trip, limit(), { ip }, new Date()),
    trip.send(),
  ]);
  return counts;
}
async function release(counts: Awaited<ReturnType<typeof reserve>>): Promise<void> {
  const trip = roundTrip(aContext());
  await Promise.all([refund(trip, counts), trip.send()]);
}
async function used(ip: string): Promise<(string | null)[]> {
  const keys = (await stores.redis("KEYS", `rate:auth-failures:ip:${ip}:*`)) as string[];
  return Promise.all(keys.sort().map((key) => stores.redis("GET", key) as Promise<string | null>));
}

describe("a reserved failure", () => {
  it("is returned to the window that counted it", async () => {
    const ip = anAddress();
    await reserve(ip);
    const counts = await reserve(ip);
    clock.advance(15 * 60 - 1);
    await reserve(ip);
    await release(counts);
    expect(await used(ip)).toEqual(["1", "1"]);
  });

  it("is not taken from a later window in Postgres", async () => {
    const ip = anAddress();
    const [ofAddress] = limitsOf(env())["auth-calls"].filter(({ kind }) => kind === "ip");
    const count = () => countInPostgres(aContext(), ofAddress ? [ofAddress] : [], { ip });
    const counts = await count();
    clock.advance(15 * 60);
    await count();
    await refundInPostgres(aContext(), counts);
    const rows = await stores.sql(
      "select used from rate_limits where key like '%' || $1 || '%' order by key",
      ip,
    );
    expect(rows.map(({ used }) => used)).toEqual(["1"]);
  });

  it("is returned in this process also where Redis did not count it", async () => {
    const [ip, now] = [anAddress(), new Date()];
    const limits = limitsOf(env()).default.filter(({ kind }) => kind !== "session");
    const countHere = () => countLocally(limits, { ip, address: ip }, now);
    const [first, ceiling] = countHere();
    expect(ceiling?.limit.isCeiling).toBe(true);
    const counted = { status: "fulfilled", value: first ? [first] : [] } as const;
    const local = [first, ceiling].filter((count) => count !== undefined);
    const ctx = aContext();
    releaseLater(ctx, await reserveCounts(ctx, counted, limits, {}, local), () => true);
    await stores.settled();
    expect(countHere().map(({ used }) => used)).toEqual([1, 1]);
  });

  it("is returned once by a successful sign-in, and others' failures stay counted", async () => {
    const [ip, person, other] = [anAddress(), await aBoundUser(stores), await aBoundUser(stores)];
    const body = { email: other.email, password: "not the password" };
    for (let time = 0; time < 2; time += 1) await call(login, "POST", { body, ip });
    const right = { email: person.email, password };
    expect((await call(login, "POST", { body: right, ip })).status).toBe(200);
    await stores.settled();
    expect(await used(ip)).toEqual(["2"]);
  });

  it("is returned by every other successful proof, and the caller's failures stay counted", async () => {
    const { accessToken: token } = await aUser();
    const prove = (given: string) =>
      call(reauthenticate, "POST", { token, body: { password: given } });
    for (let time = 0; time < 2; time += 1) await prove("not the password");
    for (let time = 0; time < 6; time += 1) {
      expect((await prove(password)).status).toBe(200);
      await stores.settled();
    }
    const counts = [];
    for (let time = 0; time < 4; time += 1) counts.push((await prove("not the password")).status);
    expect(counts).toEqual([401, 401, 401, 429]);
  });

  it("does not create a negative counter when the counter was deleted", async () => {
    const ip = anAddress();
    const counts = await reserve(ip);
    await stores.liftLimits();
    await release(counts);
    expect(await used(ip)).toEqual([]);
  });
});
