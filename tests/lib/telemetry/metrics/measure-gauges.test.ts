import { beforeEach, describe, expect, it } from "vitest";
import { measureGauges } from "../../../../lib/telemetry/metrics/measure-gauges.js";
import { aContext } from "../../../support/context.js";
import { aUser, someUsers } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

async function measured(): Promise<number> {
  await measureGauges(aContext());
  return written();
}

async function written(): Promise<number> {
  const [row] = await stores.sql(
    "select value from telemetry_gauges where series = 'active_sessions'",
  );
  return Number(row?.value);
}

beforeEach(async () => {
  await stores.sql("delete from sessions");
});

describe("measureGauges", () => {
  it("counts live sessions only", async () => {
    const people = await someUsers(6);
    const id = (index: number) => people[index]?.sessionId ?? "";
    expect(await measured()).toBe(6);
    await stores.sql("update sessions set revoked_at = now() where id = $1", id(0));
    await stores.sql(
      "update sessions set idle_expires_at = now() - interval '1 second' where id = $1",
      id(1),
    );
    await stores.sql(
      "update sessions set expires_at = now() - interval '1 second' where id = $1",
      id(2),
    );
    await stores.sql("update sessions set expires_at = null where id = $1", id(3));
    await stores.sql(
      "update sessions set created_at = now() - interval '2 days' where id = $1",
      id(4),
    );
    expect(await measured()).toBe(3);
    await stores.sql("update security_settings set revoke_all_before = now() - interval '1 day'");
    expect(await measured()).toBe(2);
    await stores.sql("update security_settings set revoke_all_before = 'epoch'");
  });

  it("writes 0 without a session", async () => {
    expect(await measured()).toBe(0);
  });

  it("costs one call, and an older measurement does not replace a newer one", async () => {
    await aUser();
    const old = { ...aContext(), now: new Date(Date.now() - 60_000) };
    expect(await measured()).toBe(1);
    await stores.sql("delete from sessions");
    await stores.resetCalls();
    await measureGauges(old);
    expect(stores.calls()).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 1 });
    expect(await written()).toBe(1);
  });

  it("estimates a large table within a few percent, with a stable result", async () => {
    const { user } = await aUser();
    // In batches, each within the time limit of a statement.
    for (let from = 1; from <= 250_000; from += 10_000) {
      await stores.sql(
        `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at,
            last_seen_at, idle_expires_at, revoked_at)
          select 's' || n, $1, '{pwd}', now(), now(), now(), now() + interval '1 day',
            case when n % 4 = 0 then now() end
          from generate_series($2::int, $2::int + 9999) n`,
        user.id,
        String(from),
      );
    }
    await stores.sql("analyze sessions");
    const live = 250_000 * 0.75;
    const value = await measured();
    expect(Math.abs(value - live) / live).toBeLessThan(0.05);
    expect(value).not.toBe(live + 1);
    expect(await measured()).toBe(value);
  }, 60_000);
});
