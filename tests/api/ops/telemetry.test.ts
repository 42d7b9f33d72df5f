import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import index from "../../../api/index.js";
import accessLog from "../../../api/ops/access-log.js";
import drain from "../../../api/ops/drain.js";
import errors from "../../../api/ops/errors.js";
import find from "../../../api/ops/find.js";
import securityEvents from "../../../api/ops/security-events.js";
import slow from "../../../api/ops/slow.js";
import user from "../../../api/user/index.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { call } from "../../support/call.js";
import { deleteEvents, drained, recordRequests } from "../../support/drained.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});
beforeEach(() => deleteEvents(stores));

const at = (route: { template: string }, search = "") =>
  `http://localhost:8080${route.template}${search}`;
const read = (route: Parameters<typeof call>[0], search = "") =>
  call(route, "GET", { token: operator.token, url: at(route, search) });

describe("GET /api/ops/errors", () => {
  it("lists error codes per route, server errors first", async () => {
    for (let time = 0; time < 3; time++) await call(user, "GET", { token: "no token" });
    const { accessToken: token } = await aUser();
    await stores.faults.postgres.set({ kind: "reset" });
    await call(user, "GET", { token });
    await stores.faults.postgres.set(null);
    await stores.settled();
    const { body } = await read(errors, "?minutes=5");
    expect(body).toEqual({
      minutes: 5,
      eventsUntil: expect.any(String),
      redisAnswered: true,
      rows: [
        { route: "/api/user", code: "service_unavailable", status: 503, count: 1 },
        { route: "/api/user", code: "token_invalid", status: 401, count: 3 },
      ],
    });
  });

  it("lists disabled features after server errors", async () => {
    const counted = (code: string, count: string) =>
      stores.sql(
        "insert into telemetry_minutes values (now(), $1, $2)",
        seriesName("http_errors_total", { route: "/api/x", code }),
        count,
      );
    await counted("feature_disabled", "9");
    await counted("internal_error", "1");
    const { rows } = (await read(errors)).body;
    expect(rows.map(({ code }: { code: string }) => code)).toEqual([
      "internal_error",
      "feature_disabled",
    ]);
  });

  it("covers the requested period, at most one day", async () => {
    const series = seriesName("http_errors_total", { route: "/api/x", code: "not_found" });
    const before = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    await stores.sql("insert into telemetry_minutes values ($1, $2, 7)", before(20), series);
    expect((await read(errors)).body.rows).toEqual([]);
    expect((await read(errors, "?minutes=30")).body.rows).toMatchObject([{ count: 7 }]);
    for (const minutes of ["0", "1441", "x"]) {
      expect((await read(errors, `?minutes=${minutes}`)).code).toBe("validation_failed");
    }
  });
});

describe("GET /api/ops/slow", () => {
  const times = (count: number, ms: number) => Array.from({ length: count }, () => ms);

  it("interpolates quantiles in the bucket that contains them, slowest route first", async () => {
    await recordRequests("/api/between", times(100, 1500));
    await recordRequests("/api/mixed", [...times(90, 400), ...times(10, 3000)]);
    await recordRequests("/api/fast", times(100, 5));
    await recordRequests("/api/endless", times(2, 11_000));
    await drained(stores);
    const { rows } = (await read(slow)).body;
    expect(rows).toEqual([
      // Beyond the last bucket there is no upper bound to interpolate to.
      {
        route: "/api/endless",
        count: 2,
        meanSeconds: 11,
        p50: null,
        p95: null,
        p99: null,
        over1s: 2,
        over2s: 2,
      },
      {
        route: "/api/mixed",
        count: 100,
        meanSeconds: 0.66,
        p50: 0.389,
        p95: 3.5,
        p99: 4.7,
        over1s: 10,
        over2s: 10,
      },
      // All are between 1 and 2 s: the empty buckets below are not stored.
      {
        route: "/api/between",
        count: 100,
        meanSeconds: 1.5,
        p50: 1.5,
        p95: 1.95,
        p99: 1.99,
        over1s: 100,
        over2s: 0,
      },
      {
        route: "/api/fast",
        count: 100,
        meanSeconds: 0.005,
        p50: 0.005,
        p95: 0.01,
        p99: 0.01,
        over1s: 0,
        over2s: 0,
      },
    ]);
  });

  it("sums batches of which each stored other buckets", async () => {
    await recordRequests("/api/drifting", times(50, 5));
    await drained(stores);
    await recordRequests("/api/drifting", times(50, 1500));
    await drained(stores);
    expect((await read(slow)).body.rows).toMatchObject([
      { count: 100, p50: 0.01, p95: 1.9, p99: 1.98, over1s: 50, over2s: 0 },
    ]);
  });
});

describe("/api/ops/drain", () => {
  it("reports what waits, drains it on request, and writes an audit row", async () => {
    await call(index, "GET");
    await stores.settled();
    const before = (await read(drain)).body;
    expect(before.waiting.batches).toBeGreaterThan(0);
    expect(before.keeps).toBe("every row");
    const dry = await operate(drain, "POST", operator.token, { dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, undo: null });
    expect((await read(drain)).body.waiting.batches).toBeGreaterThan(0);
    const done = await operate(drain, "POST", operator.token, {});
    expect(done.body.detail).toMatchObject({ isComplete: true });
    expect(done.body.detail.events).toBeGreaterThan(0);
    const [row] = await stores.sql("select * from audit_log where action = 'events.drained'");
    expect(row).toMatchObject({ actor_id: operator.user.id, reason: "a test" });
  });

  it("lists processes with missing batches", async () => {
    for (const seq of [1, 2, 5]) {
      await stores.sql("insert into drained_batches values ('p', $1, 1)", String(seq));
    }
    expect((await read(drain)).body.gaps).toMatchObject([{ instance: "p", missing: 2 }]);
  });

  it("reports from Postgres alone while Redis is unavailable", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await read(drain)).toMatchObject({ status: 200, body: { waiting: null } });
  });
});

describe("the lists of requests", () => {
  it.each([
    ["access-log", accessLog, (body: Listed) => body.items],
    ["errors", errors, (body: Listed) => body.rows],
    ["slow", slow, (body: Listed) => body.rows],
  ])("of %s have the newest requests, and say up to which time", async (_, route, rowsOf) => {
    const before = Date.now();
    await call(user, "GET", { token: "no token" });
    await stores.settled();
    const { body } = await read(route);
    expect(rowsOf(body)).toContainEqual(expect.objectContaining({ route: "/api/user" }));
    // An event can be up to a second on its way.
    expect(Date.parse(body.eventsUntil)).toBeGreaterThan(before - 1000);
    expect(Date.parse(body.eventsUntil)).toBeLessThanOrEqual(Date.now());
  });

  it("are read from Postgres alone while Redis is unavailable", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    for (const route of [accessLog, errors, slow]) {
      expect(await read(route)).toMatchObject({ status: 200 });
    }
  });
});

describe("GET /api/ops/security-events", () => {
  beforeEach(async () => {
    await stores.sql("delete from security_events");
  });

  it("lists the addresses with the most events first, with the number of addresses tried", async () => {
    const [guesser, sprayer] = ["198.51.100.7", "2001:db8:1:2::9"];
    const guess = (email: string, ip: string) =>
      call(login, "POST", { body: { email, password: "wrong" }, ip });
    for (let time = 0; time < 4; time++) await guess("one@example.com", guesser);
    for (const name of ["a", "b", "c"]) await guess(`${name}@example.com`, sprayer);
    await stores.settled();
    await stores.sql(
      `insert into security_events (at, event, count, ip, correlation_id) values
        (now(), 'xss_attempt', 9, null, 'c'), (now(), 'new_device', 99, '192.0.2.1', 'c'),
        (now(), 'data_exported', 99, '192.0.2.1', 'c'), (now(), 'deletion_requested', 99, '192.0.2.1', 'c'),
        (now() - interval '20 minutes', 'login_failed', 99, '192.0.2.1', 'c')`,
    );
    const { body } = await read(securityEvents, "?minutes=15");
    const lastAt = expect.any(String);
    const guessed = { event: "login_failed", ip: guesser, count: 4, targets: 1, lastAt };
    const sprayed = { event: "login_failed", ip: sprayer, count: 3, targets: 3, lastAt };
    expect(body.rows).toEqual([
      { event: "xss_attempt", ip: null, count: 9, targets: 0, lastAt },
      guessed,
      sprayed,
    ]);
    expect(Date.parse(body.eventsUntil)).toBeLessThanOrEqual(Date.now());
    const of = async (network: string) =>
      (await read(securityEvents, `?network=${network}`)).body.rows;
    expect(await of("198.51.100.0/24")).toEqual([guessed]);
    expect(await of("2001:db8:1::/48")).toEqual([sprayed]);
    expect((await read(securityEvents, "?network=here")).code).toBe("validation_failed");
  });
});

interface Listed {
  items: object[];
  rows: object[];
}

describe("GET /api/ops/access-log", () => {
  it("finds requests by their fields, with pagination", async () => {
    const person = await aUser();
    const token = person.accessToken;
    for (let time = 0; time < 3; time++) {
      await call(user, "GET", { token, headers: { "x-correlation-id": `find-me-${time}` } });
    }
    await call(user, "GET", { token: "no token", ip: "203.0.113.9" });
    await drained(stores);
    const own = await read(accessLog, `?user=${person.user.id}&route=/api/user&limit=2`);
    expect(
      own.body.items.map(({ correlationId }: { correlationId: string }) => correlationId),
    ).toEqual(["find-me-2", "find-me-1"]);
    const search = `?user=${person.user.id}&route=/api/user&limit=2&cursor=${own.body.nextCursor}`;
    expect((await read(accessLog, search)).body).toMatchObject({
      items: [{ correlationId: "find-me-0", status: 200 }],
      nextCursor: null,
    });
    const refused = await read(accessLog, "?ip=203.0.113.200&status=401");
    expect(refused.body.items).toMatchObject([
      { ipPrefix: "203.0.113.0/24", code: "token_invalid", tokenFailure: "form" },
    ]);
    expect((await read(accessLog, "?correlationId=find-me-1")).body.items).toHaveLength(1);
    expect(JSON.stringify(own.body)).not.toContain(person.user.id);
  });

  it("finds a user's requests from before the data key was set or changed", async () => {
    const { user: person, accessToken: token } = await aUser();
    await call(user, "GET", { token });
    setEnvironment({ DATA_KEY: "the-data-key-of-the-tests-of-32-bytes" });
    await call(user, "GET", { token });
    await drained(stores);
    const { items } = (await read(accessLog, `?user=${person.id}&route=/api/user`)).body;
    expect(items).toHaveLength(2);
    const { body } = await call(find, "POST", { token: operator.token, body: { q: person.id } });
    const routes = body.requests.map(({ route }: { route: string }) => route);
    expect(routes).toEqual(["/api/user", "/api/user"]);
  });

  it("returns 422 for invalid search parameters", async () => {
    for (const search of ["?status=9", "?user=me", "?ip=here", "?since=yesterday", "?x=1"]) {
      expect(await read(accessLog, search)).toMatchObject({ status: 422 });
    }
  });
});
