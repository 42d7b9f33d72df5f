import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import refresh from "../../api/auth/refresh.js";
import user from "../../api/user/index.js";
import sessions from "../../api/user/sessions/index.js";
import { listAlerts } from "../../lib/alerts/list-alerts.js";
import { sealAudit } from "../../lib/audit/seal.js";
import { verifyAudit } from "../../lib/audit/verification.js";
import { runHealthChecks } from "../../lib/health/health.js";
import { fullHealth } from "../../lib/operations/state/full-health.js";
import { readSeries } from "../../lib/telemetry/metrics/read-series.js";
import { ensurePartitions } from "../../lib/telemetry/partitions.js";
import { call } from "../support/call.js";
import { aContext } from "../support/context.js";
import { drained } from "../support/drained.js";
import { useEnvironment } from "../support/environment.js";
import { aUser, password } from "../support/people.js";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.js";
import { useStores } from "../support/stores.js";

/** Settings that an operator may have set on the role or the database; none is the default. */
const settings = {
  DateStyle: "SQL, DMY",
  IntervalStyle: "sql_standard",
  TimeZone: "Asia/Kathmandu",
  bytea_output: "escape",
  extra_float_digits: "-15",
};

describe.each(["direct", "transaction", "session"] as const)(
  "with non-default Postgres settings over a %s connection",
  (mode) => {
    const role = `settings_${randomBytes(4).toString("hex")}`;
    let pooler: PgBouncer | undefined;
    // Registered before the stores, so that it runs after their database is dropped.
    afterAll(async () => {
      await pooler?.stop();
      await onServer(`drop role ${role}`);
    });
    useEnvironment({ RATE_LIMIT_MAX_REQUESTS: "100000" });
    const stores = useStores({
      async prepareDatabase(databaseUrl) {
        const databaseName = new URL(databaseUrl).pathname.slice(1);
        await onServer(
          `create role ${role} superuser login`,
          ...Object.entries(settings).flatMap(([name, value]) => [
            `alter role ${role} set ${name} = '${value}'`,
            `alter database ${databaseName} set ${name} = '${value}'`,
          ]),
        );
        const url = Object.assign(new URL(databaseUrl), { username: role }).href;
        if (mode === "direct") return url;
        pooler = await startPgBouncer(url, mode);
        return pooler.through(url);
      },
    });

    it("applies the settings", async () => {
      for (const [name, value] of Object.entries(settings)) {
        const [row] = await stores.sql(`select current_setting('${name}') as value`);
        expect(row).toEqual({ value });
      }
    });

    it("verifies the seals of the audit log", async () => {
      await stores.sql(`insert into audit_log (at, actor_kind, action, subject_id, correlation_id)
      select now() - interval '6 minutes', 'system', 'user.updated', 'subject', 'c' || n
      from generate_series(1, 3) n`);
      const soon = () => performance.now() + 10_000;
      const { seals, rows } = await sealAudit(aContext(), soon());
      expect(seals).toBe(1);
      expect(await verifyAudit(aContext(), soon(), {})).toMatchObject({
        isIntact: true,
        seals,
        rows,
      });
    });

    it("logs in, refreshes, and returns correct timestamps", async () => {
      const before = Date.now();
      const person = await aUser();
      const signedIn = await call(login, "POST", {
        body: { email: person.email, password, device: { id: person.deviceId } },
      });
      expect(signedIn.status).toBe(200);
      const { accessToken, refreshToken } = signedIn.body;
      const refreshed = await call(refresh, "POST", { body: { refreshToken } });
      expect(refreshed.status).toBe(200);
      expect(refreshed.body.refreshExpiresIn).toBeCloseTo(signedIn.body.refreshExpiresIn, -2);
      const account = await call(user, "GET", { token: accessToken });
      const list = await call(sessions, "GET", { token: accessToken });
      const changed = await call(user, "PATCH", {
        token: accessToken,
        body: { timeZone: "Europe/Warsaw" },
      });
      const timestamps = [
        account.body.createdAt,
        changed.body.createdAt,
        ...list.body.items.flatMap((item: Record<string, string>) => [
          item.createdAt,
          item.lastSeenAt,
        ]),
      ];
      expect(timestamps).toHaveLength(6);
      for (const timestamp of timestamps) {
        expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before);
        expect(Date.parse(timestamp)).toBeLessThanOrEqual(Date.now());
      }
    });

    it("drains events into the right minute, partition and series", async () => {
      const before = Date.now();
      await aUser();
      await drained(stores);
      const [row] = await stores.sql(
        `select floor(extract(epoch from max(at)) * 1000) as at, bool_and(
        tableoid::regclass::text = 'access_log_' || to_char(inserted_at at time zone 'UTC', 'YYYYMMDD')
      ) as placed from access_log`,
      );
      expect(Number(row?.at)).toBeGreaterThanOrEqual(before);
      expect(Number(row?.at)).toBeLessThanOrEqual(Date.now());
      expect(row?.placed).toBe("t");
      await stores.sql(`drop table access_log_${dayName(8)}`);
      expect(await ensurePartitions(aContext())).toBe(1);
    });

    it("reads floats with full precision", async () => {
      await stores.sql(`insert into telemetry_gauges (series, value, measured_at)
      values ('active_sessions', 123456.75, now())`);
      expect((await readSeries(aContext())).get("active_sessions")).toBe(123_456.75);
    });

    it("is healthy, and reads the time of the database", async () => {
      const { checks } = await runHealthChecks(aContext());
      expect(checks["postgres:responseTime"]).toMatchObject([{ status: "pass" }]);
      const { findings } = await fullHealth(aContext());
      const skew = findings.find(({ name }) => name === "clock skew to the database");
      expect(skew).toMatchObject({ status: "pass" });
      const { evaluatedUntil } = await listAlerts(aContext());
      expect(evaluatedUntil).toBe("1970-01-01T00:00:00.000Z");
    });
  },
);

const dayName = (daysAhead: number) =>
  new Date(Date.now() + daysAhead * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");

async function onServer(...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}
