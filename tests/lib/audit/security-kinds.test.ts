import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import tick from "../../../api/cron/tick.js";
import index from "../../../api/index.js";
import find from "../../../api/ops/find.js";
import user from "../../../api/user/index.js";
import preferences from "../../../api/user/preferences.js";
import { env } from "../../../lib/env.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { userHash } from "../../../lib/telemetry/request-event.js";
import { detectUnusualUsage } from "../../../lib/telemetry/unusual-usage.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { deleteEvents, drained, totals } from "../../support/drained.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

// SECURITY lines are written at every level.
const cronSecret = "cron-secret-of-the-tests";
useEnvironment({ LOG_LEVEL: "silent", CRON_SECRET: cronSecret });
const stores = useStores();
const lines = useLogLines();

const home = (search: string) => `http://localhost:8080/api/?q=${encodeURIComponent(search)}`;

/** Inserts access log rows of a user, this many hours old. */
const calls = (userId: string, count: number, hoursAgo: number, code: string | null = null) =>
  stores.sql(
    `insert into access_log (at, count, one_in, route, method, status, code, duration_ms, user_hash, release)
     values (now() - make_interval(hours => $1::int, mins => 5), $2::int, 1, '/api/user', 'GET',
       case when $4::text is null then 200 else 503 end, $4, 1, $3, 'r')`,
    String(hoursAgo),
    String(count),
    userHash(env(), userId),
    code,
  );

/** Each kind of event to monitor according to the operations guide, and how to cause it. */
const causes: Record<string, () => Promise<unknown>> = {
  login_bruteforce: async () => {
    const ip = anAddress();
    for (let turn = 0; turn < 10; turn++) {
      const email = `nobody-${randomUUID()}@example.com`;
      await call(login, "POST", { ip, body: { email, password: "not the password" } });
    }
  },
  jwt_signature_invalid: async () => {
    const { accessToken } = await aUser();
    await call(user, "GET", { token: `${accessToken.slice(0, -4)}AAAA` });
  },
  sql_injection_attempt: () => call(index, "GET", { url: home("' or 1=1 --") }),
  xss_attempt: () => call(index, "GET", { url: home("<script>alert(1)</script>") }),
  unusual_usage: async () => {
    const { user: person } = await aUser();
    await calls(person.id, 400, 0);
    await calls(person.id, 50, 30);
    await call(tick, "GET", { token: cronSecret });
  },
  privilege_escalation_attempt: async () => {
    const { accessToken: token } = await aUser();
    await call(find, "POST", { token, body: { q: "ada@example.com" } });
  },
};

describe("a monitored kind of event", () => {
  it.each(Object.keys(causes))(
    "%s writes a log line, a row and a count at LOG_LEVEL silent",
    async (event) => {
      await deleteEvents(stores);
      await stores.sql("delete from security_events");
      await causes[event]?.();
      await drained(stores);
      expect(lines.read(event).map(({ level }) => level)).toContain("SECURITY");
      const [row] = await stores.sql(
        "select sum(count) from security_events where event = $1",
        event,
      );
      expect(Number(row?.sum)).toBeGreaterThan(0);
      // What the cron job finds is counted with its own request.
      if (event === "unusual_usage") return;
      expect((await totals(stores))[seriesName("security_events_total", { event })]).toBe(
        Number(row?.sum),
      );
    },
  );

  it("is not reported for what learners write", async () => {
    const { accessToken: token } = await aUser();
    await deleteEvents(stores);
    await stores.sql("delete from security_events");
    for (const name of ["Conan O'Brien", "Select <b>or</b> drop, it's you!", "a -- b; c <3 d"]) {
      await call(user, "PATCH", { token, body: { name } });
    }
    await call(preferences, "GET", { token });
    await drained(stores);
    expect(lines.read().filter(({ level }) => level === "SECURITY")).toEqual([]);
    expect(await stores.sql("select event from security_events")).toEqual([]);
  });
});

describe("unusual usage", () => {
  const reportCount = () => lines.read("unusual_usage").length;

  it("is not reported for repeated calls of a disabled feature", async () => {
    const { user: person } = await aUser();
    await calls(person.id, 400, 0, "feature_disabled");
    await detectUnusualUsage(aContext());
    expect(reportCount()).toBe(0);
  });

  it("is reported once an hour", async () => {
    const { user: person } = await aUser();
    await calls(person.id, 301, 0);
    for (let time = 0; time < 3; time++) await detectUnusualUsage(aContext());
    expect(reportCount()).toBe(1);
  });

  it("is not reported for steady heavy use or a small burst", async () => {
    const [heavy, small] = [await aUser(), await aUser()];
    await calls(heavy.user.id, 1000, 0);
    for (let hours = 2; hours < 160; hours += 4) await calls(heavy.user.id, 450, hours);
    await calls(small.user.id, 300, 0);
    await detectUnusualUsage(aContext());
    expect(reportCount()).toBe(0);
  });
});
