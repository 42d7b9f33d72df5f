import { describe, expect, it } from "vitest";
import changeEmail from "../../../api/auth/change-email/index.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import resend from "../../../api/auth/verify-email/resend.js";
import exportRoute from "../../../api/user/export.js";
import { personalTables } from "../../../lib/privacy/catalogue.js";
import { requestsInFlight } from "../../../lib/requests-in-flight.js";
import { call } from "../../support/call.js";
import { aFullAccount } from "../../support/full-account.js";
import { useLogLines } from "../../support/log-lines.js";
import { aBoundUser, aGuest, anAddress, aUser, earn, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();

const request = (token: string) =>
  exportRoute.fetch(
    new Request("http://localhost:8080/api/user/export", {
      headers: { authorization: `Bearer ${token}`, "x-vercel-forwarded-for": anAddress() },
    }),
  );

describe("GET /api/user/export", () => {
  it("returns a file with every exported column of every personal table", async () => {
    const ada = await aFullAccount(stores);
    const { status, body, headers } = await call(exportRoute, "GET", { token: ada.accessToken });
    expect(status).toBe(200);
    expect(headers.get("content-disposition")).toMatch(
      /^attachment; filename="linguamate-data-\d{4}-\d\d-\d\d\.json"$/,
    );
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-type")).toBe("application/json");
    expect(body.userId).toBe(ada.user.id);
    expect(Date.parse(body.asOf)).toBeLessThanOrEqual(Date.now());
    for (const { section, columns } of personalTables) {
      if (section === "erasures" || section === "restoredErasures") continue;
      expect([section, body[section].length]).toEqual([section, expect.any(Number)]);
      const place = `${section}: no row in tests/support/full-account.ts`;
      expect(body[section].length, place).toBeGreaterThan(0);
      const exported = Object.entries(columns)
        .filter(([, kind]) => kind === "exported" || (typeof kind === "object" && "as" in kind))
        .map(([name]) => name);
      for (const row of body[section]) {
        expect([section, Object.keys(row).sort()]).toEqual([section, exported.sort()]);
      }
    }
    expect(body.accounts.map(({ id }: { id: string }) => id).sort()).toEqual(
      [ada.user.id, ada.guestId].sort(),
    );
    expect(body.consents).toEqual([
      expect.objectContaining({ kind: "terms", version: "1", user_id: ada.user.id }),
    ]);
  });

  it("has no secret, and neither another person's data nor an operator's network", async () => {
    const [ada, grace] = [await aFullAccount(stores), await aFullAccount(stores)];
    const { body } = await call(exportRoute, "GET", { token: ada.accessToken });
    const text = JSON.stringify(body);
    for (const foreign of [grace.user.id, grace.guestId, grace.mark, grace.email]) {
      expect(text).not.toContain(foreign);
    }
    for (const hidden of [
      "argon2",
      "sealed",
      `hash-${ada.mark}`,
      "198.51.100",
      "codeId",
      "another",
    ]) {
      expect([hidden, text.includes(hidden)]).toEqual([hidden, false]);
    }
    expect(text).toContain("192.0.2.0/24");
  });

  it("serves guests", async () => {
    const guest = await aGuest();
    const { status, body } = await call(exportRoute, "GET", { token: guest.accessToken });
    expect(status).toBe(200);
    expect(body.accounts).toEqual([expect.objectContaining({ id: guest.user.id, is_guest: true })]);
  });

  it("pages through each table, also while rows are written, and leaves out what is written later", async () => {
    const ada = await aUser();
    const many = 1203;
    await stores.sql(
      `insert into xp_entries select $1, 'test', gen_random_uuid()::text, n, current_date, now() - interval '1 hour', 1
       from generate_series(1, $2::int) n`,
      ada.user.id,
      String(many),
    );
    const response = await request(ada.accessToken);
    await earn(stores, ada, 5000);
    const { experiencePoints, asOf } = (await response.json()) as {
      experiencePoints: { xp: number }[];
      asOf: string;
    };
    expect(experiencePoints.map(({ xp }) => xp).sort((a, b) => a - b)).toEqual(
      Array.from({ length: many }, (_, index) => index + 1),
    );
    expect(asOf).toMatch(/Z$/);
  });

  it("is allowed 3 times a day, and writes an audit row and a security event", async () => {
    const ada = await aUser();
    for (let turn = 0; turn < 3; turn++) {
      expect((await call(exportRoute, "GET", { token: ada.accessToken })).status).toBe(200);
    }
    const refused = await call(exportRoute, "GET", { token: ada.accessToken });
    expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
    await stores.settled();
    const [row] = await stores.sql(
      `select (select count(*) from audit_log where action = 'data.exported' and subject_id = $1) as audits,
        (select count(*) from security_events where event = 'data_exported' and user_id = cast($1 as uuid)) as events`,
      ada.user.id,
    );
    expect(row).toEqual({ audits: "3", events: "3" });
  });

  it("counts in Postgres while Redis is down", async () => {
    const ada = await aUser();
    await stores.faults.redis.set({ kind: "refuse" });
    for (let turn = 0; turn < 3; turn++) {
      expect((await call(exportRoute, "GET", { token: ada.accessToken })).status).toBe(200);
    }
    expect(await call(exportRoute, "GET", { token: ada.accessToken })).toMatchObject({
      status: 429,
      code: "rate_limited",
    });
  });

  it("costs one Redis round trip, and before the first page 2 Postgres calls", async () => {
    const { accessToken } = await aUser();
    await stores.resetCalls();
    const response = await request(accessToken);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
    await response.body?.cancel();
  });

  it("breaks off when Postgres fails, is logged, and does not count", async () => {
    const ada = await aUser();
    for (let turn = 0; turn < 5; turn++) {
      const response = await request(ada.accessToken);
      expect(response.status).toBe(200);
      await stores.faults.postgres.set({ kind: "refuse" });
      await expect(response.text()).rejects.toThrow();
      await stores.faults.postgres.set(null);
      await stores.settled();
    }
    expect(lines.read("export_broken").length).toBe(5);
  });

  it("is in flight until its end, and the log line and the event have how it ended", async () => {
    const ada = await aUser();
    const completed = () => lines.read("http_request").filter(({ req }) => isExport(req.path));
    const isExport = (path: string) => path === "/api/user/export";
    await stores.settled();
    const idle = requestsInFlight();
    const whole = await request(ada.accessToken);
    expect([requestsInFlight(), completed().length]).toEqual([idle + 1, 0]);
    await whole.text();
    await stores.settled();
    expect([requestsInFlight(), completed().length]).toEqual([idle, 1]);

    const left = (await request(ada.accessToken)).body?.getReader();
    await left?.read();
    expect(completed().length).toBe(1);
    await left?.cancel();

    const failing = await request(ada.accessToken);
    await stores.faults.postgres.set({ kind: "refuse" });
    await expect(failing.text()).rejects.toThrow();
    await stores.faults.postgres.set(null);
    await stores.settled();
    expect(completed().map(({ level, data }) => [level, data.status, data.code, data.cut])).toEqual(
      [
        ["INFO", 200, undefined, undefined],
        ["INFO", 499, undefined, "aborted"],
        ["ERROR", 503, "service_unavailable", "failed"],
      ],
    );
    const series = (status: string) =>
      `http_requests_total{route="/api/user/export",method="GET",status="${status}"}`;
    const entries = JSON.stringify(await stores.redis("XRANGE", "events", "-", "+"));
    for (const status of ["200", "499", "503"]) {
      expect(entries).toContain(JSON.stringify(JSON.stringify(series(status))).slice(3, -3));
    }
    expect(requestsInFlight()).toBe(idle);
  });

  it("has no body for HEAD, and nothing is in flight", async () => {
    const { accessToken: token } = await aUser();
    const { status, headers } = await call(exportRoute, "HEAD", { token });
    expect([status, headers.get("content-length")]).toEqual([200, null]);
    expect(headers.get("content-type")).toBe("application/json");
    await stores.settled();
    expect(lines.read("http_request").at(-1)?.data).toMatchObject({ status: 200 });
  });

  it("does not count when Postgres fails, but when the client aborts during a page", async () => {
    const ada = await aUser();
    for (let turn = 0; turn < 3; turn++) {
      const reader = (await request(ada.accessToken)).body?.getReader();
      await reader?.read();
      const page = reader?.read();
      await reader?.cancel();
      await page;
      await stores.settled();
    }
    expect(lines.read("export_broken")).toEqual([]);
    expect((await request(ada.accessToken)).status).toBe(429);
  });

  it("answers 503 when Postgres is down from the start, which does not count", async () => {
    const ada = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let turn = 0; turn < 4; turn++) {
      expect(await call(exportRoute, "GET", { token: ada.accessToken })).toMatchObject({
        status: 503,
        code: "service_unavailable",
      });
      await stores.settled();
    }
    await stores.faults.postgres.set(null);
    expect((await call(exportRoute, "GET", { token: ada.accessToken })).status).toBe(200);
  });

  it("reads no further page when the client aborts", async () => {
    const ada = await aUser();
    const response = await request(ada.accessToken);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await stores.resetCalls();
    await new Promise((resolve) => setImmediate(resolve));
    expect(stores.calls().postgresCalls).toBe(0);
  });

  it("keeps one page in memory", async () => {
    const ada = await aUser();
    const rows = 40_000;
    await stores.sql(
      `insert into xp_entries select $1, 'test', repeat('x', 400) || n, n, current_date, now() - interval '1 hour', 1
       from generate_series(1, $2::int) n`,
      ada.user.id,
      String(rows),
    );
    const response = await request(ada.accessToken);
    const reader = response.body?.getReader();
    let bytes = 0;
    let largest = 0;
    for (let read = await reader?.read(); !read?.done; read = await reader?.read()) {
      bytes += read?.value?.byteLength ?? 0;
      largest = Math.max(largest, read?.value?.byteLength ?? 0);
    }
    expect(bytes).toBeGreaterThan(20_000_000);
    expect(largest).toBeLessThan(1_000_000);
  }, 120_000);
});

describe("the export of somebody who names an address", () => {
  /** Without IDs, times, networks and the address itself. */
  async function comparable({ accessToken, sessionId }: Person, address: string): Promise<string> {
    await stores.settled();
    const { securityEvents, ...document } = (await (await request(accessToken)).json()) as {
      securityEvents: { event: string }[];
    };
    // The event of this export itself may be written while it is read.
    const events = securityEvents.filter(({ event }) => event !== "data_exported");
    return JSON.stringify({ ...document, events }, null, 1)
      .replaceAll(address, "ADDRESS")
      .replaceAll(sessionId, "SESSION")
      .replaceAll(/"id": \d+/g, '"id": NUMBER')
      .replaceAll(/learner-[\w-]+@example\.com/g, "OWN ADDRESS")
      .replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "ID")
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)/g, "TIME")
      .replaceAll(/10\.\d+\.\d+\.\d+(\/\d+)?/g, "NETWORK");
  }

  const wrong = (email: string, token?: string) =>
    call(login, "POST", {
      body: { email, password: "wrong password", device: { id: "another-device" } },
      ip: anAddress(),
      ...(token && { token }),
    });

  const addresses = async () => [
    (await aBoundUser(stores)).email,
    `free-${crypto.randomUUID()}@example.com`,
  ];

  it("does not say whether a claimed address has an account", async () => {
    const exports: string[] = [];
    for (const address of await addresses()) {
      const stranger = await aUser({ email: address });
      const { accessToken: token } = stranger;
      expect((await call(resend, "POST", { token })).status).toBe(202);
      expect((await wrong(address)).status).toBe(401);
      expect((await wrong(address, token)).status).toBe(401);
      await call(forgotPassword, "POST", { body: { email: address }, ip: anAddress() });
      exports.push(await comparable(stranger, address));
    }
    expect(exports[0]).toBe(exports[1]);
    expect(exports[0]).toContain("verify_email");
  });

  it("does not say it of an address that an account wants to change to", async () => {
    const exports: string[] = [];
    for (const address of await addresses()) {
      const stranger = await aBoundUser(stores);
      const { accessToken: token } = stranger;
      const { status } = await call(changeEmail, "POST", { token, body: { email: address } });
      expect(status).toBe(202);
      expect((await wrong(address, token)).status).toBe(401);
      exports.push(await comparable(stranger, address));
    }
    expect(exports[0]).toBe(exports[1]);
    expect(exports[0]).toContain("change_email");
  });

  it("has nothing about the sign-ins of the address's owner", async () => {
    const owner = await aBoundUser(stores);
    await stores.faults.redis.set({ kind: "refuse" });
    for (let turn = 0; turn < 5; turn++) await wrong(owner.email);
    const stranger = await aUser({ email: owner.email });
    await stores.settled();
    const { body } = await call(exportRoute, "GET", { token: stranger.accessToken });
    expect(body.signInDelays).toEqual([]);
    const own = await call(exportRoute, "GET", { token: owner.accessToken });
    expect(own.body.signInDelays).toEqual([expect.objectContaining({ failures: 5 })]);
    for (const name of ["pass_ip", "pass_device", "key"]) {
      expect(own.body.signInDelays[0]).not.toHaveProperty(name);
    }
  });
});

describe("the export of an account that somebody attacks", () => {
  it("shows failed sign-ins, but neither who made them nor from where", async () => {
    const [owner, other] = [await aBoundUser(stores), await aBoundUser(stores)];
    const body = { email: owner.email, password: "wrong password" };
    await call(login, "POST", { body, ip: "198.51.100.77" });
    await call(login, "POST", { body, ip: "198.51.100.77", token: other.accessToken });
    await call(forgotPassword, "POST", {
      body: { email: owner.email, device: { id: "device-of-a-stranger" } },
      ip: "198.51.100.77",
    });
    await stores.settled();
    const { body: exported } = await call(exportRoute, "GET", { token: owner.accessToken });
    const failed = exported.securityEvents.filter(
      ({ event }: { event: string }) => event === "login_failed",
    );
    expect(failed).toHaveLength(2);
    for (const event of failed) {
      expect(event).toMatchObject({ user_id: null, ip: null, correlation_id: null, data: {} });
    }
    const text = JSON.stringify(exported);
    for (const foreign of ["198.51.100", other.user.id, "device-of-a-stranger"]) {
      expect([foreign, text.includes(foreign)]).toEqual([foreign, false]);
    }
    const purposes = exported.mailCodes.map(({ purpose }: { purpose: string }) => purpose).sort();
    expect(purposes).toEqual(["reset_password", "sign_in", "verify_email"]);
  });
});

describe("the export of somebody who gave up an address", () => {
  it("has nothing of the account that has it now", async () => {
    const before = await aBoundUser(stores);
    const address = before.email;
    await stores.sql("delete from mail_codes where subject = $1", before.user.id);
    await stores.sql(
      "insert into email_changes values (gen_random_uuid(), $1, $2, now(), now() + interval '7 days')",
      before.user.id,
      address,
    );
    await stores.sql("update users set email = 'new-' || email where id = $1", before.user.id);
    await aBoundUser(stores, { email: address });
    await call(forgotPassword, "POST", { body: { email: address }, ip: anAddress() });
    await stores.settled();
    const { body } = await call(exportRoute, "GET", { token: before.accessToken });
    expect(body.emailChanges).toEqual([expect.objectContaining({ old_email: address })]);
    for (const section of ["mailCodes", "mailBudgets", "queuedMails"]) {
      const named = body[section].filter((row: object) => JSON.stringify(row).includes(address));
      expect([section, named]).toEqual([section, []]);
    }
  });
});
