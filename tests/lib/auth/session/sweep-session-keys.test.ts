import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import logout from "../../../../api/auth/logout.js";
import refresh from "../../../../api/auth/refresh.js";
import user from "../../../../api/user/index.js";
import { copyGateToRedis } from "../../../../lib/admission/mirror.js";
import { effectiveRevokeAll } from "../../../../lib/admission/revoke-all.js";
import { sweepSessionKeys } from "../../../../lib/auth/session/sweep-session-keys.js";
import type { Context } from "../../../../lib/context.js";
import { database } from "../../../../lib/db/database.js";
import { env } from "../../../../lib/env.js";
import { runHealthChecks } from "../../../../lib/health/health.js";
import { revokeAllSessions } from "../../../../lib/operations/revocations.js";
import { rebuildRedis } from "../../../../lib/operations/state/rebuild-redis.js";
import { emptyRequestMetrics } from "../../../../lib/request-metrics.js";
import { call } from "../../../support/call.js";
import { aContext } from "../../../support/context.js";
import { useLogLines } from "../../../support/log-lines.js";
import { aUser, type Person } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();
const lines = useLogLines();

const sweep = () =>
  sweepSessionKeys({
    env: env(),
    db: database(),
    now: new Date(),
    correlationId: randomUUID(),
    route: "",
    address: undefined,
    requestMetrics: emptyRequestMetrics(),
    gate: null,
    after: () => {},
  } satisfies Context);
const read = ({ accessToken: token }: Person) => call(user, "GET", { token });
const end = ({ accessToken: token }: Person) => call(logout, "POST", { token });
const keysOf = ({ sessionId }: Person) => [`session:${sessionId}`, `known-session:${sessionId}`];
const soonMs = () => Date.now() + 1;
const refreshed = ({ refreshToken }: { refreshToken: string }) =>
  call(refresh, "POST", { body: { refreshToken } });
const revoked = { status: 401, code: "session_revoked" };

/** Copies a session's Redis keys; the result restores them. */
async function copyOf(person: Person): Promise<() => Promise<void>> {
  const [hash = "", mark = ""] = keysOf(person);
  const fields = (await stores.redis("HGETALL", hash)) as string[] | Record<string, string>;
  const known = (await stores.redis("GET", mark)) as string;
  return async () => {
    const flat = Array.isArray(fields) ? fields : Object.entries(fields).flat();
    await stores.redis("HSET", hash, ...flat);
    await stores.redis("SET", mark, known);
  };
}

describe("sweepSessionKeys", () => {
  it("revokes a session whose key could not be deleted from Redis", async () => {
    const person = await aUser();
    await stores.faults.redis.set({ kind: "reset" });
    await end(person);
    await stores.faults.redis.set(null);
    expect(await stores.redis("EXISTS", ...keysOf(person))).toBe(2);
    // The client skips Redis for a short time after failures.
    await expect
      .poll(
        () =>
          sweep().then(
            () => "swept",
            () => "away",
          ),
        { timeout: 15_000 },
      )
      .toBe("swept");
    expect(await read(person)).toMatchObject(revoked);
  });

  it("revokes a session that an older copy of Redis restored, and no other", async () => {
    const [gone, person] = [await aUser(), await aUser()];
    const restore = await copyOf(gone);
    await end(gone);
    await restore();
    expect((await read(gone)).status).toBe(200);
    await sweep();
    expect(await read(gone)).toMatchObject(revoked);
    expect(await stores.redis("GET", `known-session:${gone.sessionId}`)).toBe("ended");
    expect((await read(person)).status).toBe(200);
    await sweep();
    expect(await read(gone)).toMatchObject(revoked);
  });

  it("rejects while a store is unavailable", async () => {
    await end(await aUser());
    await stores.faults.redis.set({ kind: "refuse" });
    await expect(sweep()).rejects.toThrow();
  });
});

describe("revokeAllBefore", () => {
  it("revokes all sessions permanently when it is set in Redis by hand", async () => {
    const person = await aUser();
    await stores.redis("HSET", "gate", "revokeAllBefore", String(soonMs()));
    expect(await read(person)).toMatchObject(revoked);
    expect(await refreshed(person)).toMatchObject(revoked);
    await sweep();
    await stores.redis("FLUSHDB");
    expect(await read(person)).toMatchObject(revoked);
    expect(await refreshed(person)).toMatchObject(revoked);
    await sweep();
    expect(Number(await stores.redis("HGET", "gate", "revokeAllBefore"))).toBeGreaterThan(0);
    const later = await aUser();
    expect((await read(later)).status).toBe(200);
  });

  it("stays in effect when Redis loses the gate key, and is restored with the flags", async () => {
    const person = await aUser();
    const at = String(soonMs());
    await stores.sql(
      "update security_settings set revoke_all_before = to_timestamp($1::bigint / 1000.0)",
      at,
    );
    await stores.redis("HSET", "gate", "revokeAllBefore", at);
    await stores.redis("DEL", "gate");
    expect(await read(person)).toMatchObject(revoked);
    await stores.settled();
    expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(at);
    expect(await read(person)).toMatchObject(revoked);
  });

  it("costs one more statement while it is missing in Redis", async () => {
    const person = await aUser();
    const cost = async () => {
      await stores.resetCalls();
      expect((await read(person)).status).toBe(200);
      return stores.calls();
    };
    const normal = await cost();
    await stores.redis("HDEL", "gate", "revokeAllBefore");
    expect(await cost()).toEqual({ ...normal, postgresCalls: normal.postgresCalls + 1 });
    await copyGateToRedis(aContext());
    expect(await cost()).toEqual(normal);
  });

  it("never overwrites a later value in Redis", async () => {
    const at = String(soonMs());
    await stores.redis("HSET", "gate", "revokeAllBefore", at);
    await copyGateToRedis(aContext());
    expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(at);
    await sweep();
  });

  it("is ignored and corrected by the sweep when it is not a number", async () => {
    const person = await aUser();
    const before = await stores.redis("HGET", "gate", "revokeAllBefore");
    await stores.redis("HSET", "gate", "revokeAllBefore", "now");
    expect((await read(person)).status).toBe(200);
    expect((await refreshed(person)).status).toBe(200);
    await sweep();
    expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(before);
  });

  it("is ignored and corrected by the sweep when it is in a smaller unit", async () => {
    const person = await aUser();
    const before = await stores.redis("HGET", "gate", "revokeAllBefore");
    for (const typed of [Date.now() * 1000, -Date.now() * 1000]) {
      await stores.redis("HSET", "gate", "revokeAllBefore", String(typed));
      expect((await read(person)).status).toBe(200);
      expect((await refreshed(person)).status).toBe(200);
      await sweep();
      expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(before);
    }
  });

  it("revokes all sessions at the next sweep when it is set in Postgres", async () => {
    const person = await aUser();
    await stores.sql(
      "update security_settings set revoke_all_before = to_timestamp($1::bigint / 1000.0)",
      String(soonMs()),
    );
    await sweep();
    expect(await read(person)).toMatchObject(revoked);
    expect((await read(await aUser())).status).toBe(200);
  });

  it("is the later of the two values after a sweep", async () => {
    const at = soonMs();
    await stores.redis("HSET", "gate", "revokeAllBefore", String(at));
    await sweep();
    await stores.redis("HSET", "gate", "revokeAllBefore", "1");
    await sweep();
    expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(String(at));
  });

  it("never moves back because of an instance with a slow clock", async () => {
    const at = soonMs();
    const by = { actor: { kind: "operator", id: "a-test" } as const, reason: "a test" };
    for (const now of [new Date(at), new Date(at - 10_000)]) {
      await revokeAllSessions({ ...aContext(), now }, { by, dryRun: false });
    }
    expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(String(at));
    expect(await recorded()).toBe(String(at));
  });
});

const recorded = async () => {
  const [row] = await stores.sql(
    "select floor(extract(epoch from revoke_all_before) * 1000)::bigint as ms from security_settings",
  );
  return row?.ms ?? null;
};

describe("an implausible revokeAllBefore", () => {
  /** Typical mistakes in typing a time in ms. */
  const mistakes = {
    "has one digit too many": () => Date.now() * 10,
    "is in seconds": () => Math.floor(Date.now() / 1000),
    "is over a minute ahead": () => Date.now() + 90_000,
    "is not a number": () => "now",
    "is empty": () => "",
  };

  it.each(Object.entries(mistakes))(
    "that %s changes no session and is never stored in Postgres",
    async (_, mistake) => {
      const gone = await aUser();
      await stores.sql(
        "update security_settings set revoke_all_before = to_timestamp($1::bigint / 1000.0)",
        String(soonMs()),
      );
      await sweep();
      const person = await aUser();
      const before = await recorded();
      const typed = String(mistake());
      await stores.redis("HSET", "gate", "revokeAllBefore", typed);
      expect(await read(gone)).toMatchObject(revoked);
      expect((await read(person)).status).toBe(200);
      expect((await refreshed(person)).status).toBe(200);
      const [event] = lines.read("revoke_all_ignored");
      expect(event).toMatchObject({
        level: "SECURITY",
        data: { reason: expect.stringContaining(": it is ") },
      });
      const seen = lines.read("revoke_all_ignored").length;
      for (let time = 0; time < 3; time++) expect((await read(person)).status).toBe(200);
      expect(lines.read("revoke_all_ignored")).toHaveLength(seen);
      expect((await runHealthChecks(aContext())).checks["redis:responseTime"]).toMatchObject([
        { status: "warn", output: expect.stringMatching(/^revokeAllBefore.* is ignored: it is /) },
      ]);
      await sweep();
      expect(await recorded()).toBe(before);
      expect(await stores.redis("HGET", "gate", "revokeAllBefore")).toBe(before);
      expect((await read(person)).status).toBe(200);
      // The warning stays until an operator acts, because the sessions were not revoked.
      expect((await runHealthChecks(aContext())).checks["redis:responseTime"]).toMatchObject([
        { status: "warn", output: expect.stringContaining("was ignored") },
      ]);
      await rebuildRedis(aContext(), {
        actor: { kind: "operator", id: "a-test" },
        reason: "a test",
      });
      expect((await runHealthChecks(aContext())).checks["redis:responseTime"]).toMatchObject([
        { status: "pass" },
      ]);
    },
  );

  it("is compared with Redis's clock, not the instance's", async () => {
    const ctx = { ...aContext(), now: new Date(Date.now() + 600_000) };
    expect(await effectiveRevokeAll(ctx, Date.now() + 300_000)).toBe(Number(await recorded()));
    expect(await effectiveRevokeAll(ctx, Date.now() + 50_000)).toBeGreaterThan(Date.now());
  });

  it("costs one more round trip once per process for a new value", async () => {
    const person = await aUser();
    await copyGateToRedis(aContext());
    const trips = async () => {
      await stores.resetCalls();
      expect((await read(person)).status).toBe(200);
      return stores.calls();
    };
    const [first, second] = [await trips(), await trips()];
    expect(second.redisTrips).toBe(1);
    expect(first.redisTrips).toBeLessThanOrEqual(2);
    await stores.redis("HSET", "gate", "revokeAllBefore", String(Date.now() - 2 * 86_400_000));
    expect(await trips()).toEqual(second);
    await sweep();
  });
});
