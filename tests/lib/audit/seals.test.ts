import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { auditRow } from "../../../lib/audit/audit.js";
import { retireAudit } from "../../../lib/audit/retirement.js";
import { sealAudit } from "../../../lib/audit/seal.js";
import { type Anchor, verifyAudit } from "../../../lib/audit/verification.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
useEnvironment();

const soon = () => performance.now() + 10_000;
const seal = () => sealAudit(aContext(), soon());
const retire = () => retireAudit(aContext(), soon());
const verify = (anchor?: Anchor) => verifyAudit(aContext(), soon(), { anchor });
const findings = async (anchor?: Anchor) => (await verify(anchor)).findings;
const seals = () => stores.sql("select * from audit_seals order by last_id");
const newestId = async () =>
  Number((await stores.sql("select max(id) as id from audit_log"))[0]?.id ?? 0);

/** Runs statements that only a superuser can. */
async function asSuperuser(...statements: string[]): Promise<void> {
  const tables = ["audit_log", "audit_seals", "audit_retirements"];
  for (const table of tables) await stores.sql(`alter table ${table} disable trigger user`);
  for (const statement of statements) await stores.sql(statement);
  for (const table of tables) await stores.sql(`alter table ${table} enable trigger user`);
}

beforeEach(() =>
  asSuperuser("truncate audit_log restart identity", "truncate audit_seals, audit_retirements"),
);

/** Inserts audit rows that are this many minutes old. */
async function changes(count: number, minutesAgo = 6): Promise<void> {
  const [subject, interval] = [randomUUID(), `${minutesAgo} minutes`];
  await stores.sql(
    `insert into audit_log (at, actor_kind, actor_id, action, subject_id, reason, correlation_id)
     select now() - $1::interval, 'user', $2, 'user.updated', $2, 'for "x", y', 'c' || n
     from generate_series(1, $3::int) n`,
    interval,
    subject,
    String(count),
  );
}

/** Two seals of three rows each. */
async function aSealedLog(): Promise<void> {
  for (const _ of [1, 2]) {
    await changes(3);
    await seal();
  }
  expect(await verify()).toMatchObject({ isIntact: true, seals: 2, rows: 6, verifiedTo: 6 });
}

describe("sealing the audit log", () => {
  it("covers rows older than five minutes and links to the previous seal", async () => {
    await changes(3);
    await changes(2, 4);
    expect(await seal()).toEqual({ seals: 1, rows: 3 });
    expect(await seal()).toEqual({ seals: 0, rows: 0 });
    await changes(1);
    expect(await seal()).toEqual({ seals: 0, rows: 0 });
    await asSuperuser("update audit_log set at = at - interval '5 minutes' where id > 3");
    expect(await seal()).toEqual({ seals: 1, rows: 3 });
    const [first, second] = await seals();
    expect(first).toMatchObject({ first_id: "1", last_id: "3", rows: "3", previous: "genesis" });
    expect(second).toMatchObject({ first_id: "4", last_id: "6", rows: "3", previous: first?.hash });
    expect(await verify()).toMatchObject({ isIntact: true, findings: [], isComplete: true });
  });

  it("covers what the application writes, and a gap after a rollback", async () => {
    const ctx = aContext();
    const entry = { actor: { kind: "system" }, action: "user.updated", subjectId: "x" } as const;
    await auditRow(ctx, entry);
    await expect(
      ctx.db.batch([auditRow(ctx, entry), ctx.db.execute("select 1 / 0")]),
    ).rejects.toThrow();
    await auditRow(ctx, entry);
    await asSuperuser("update audit_log set at = at - interval '6 minutes'");
    expect(await seal()).toEqual({ seals: 1, rows: 2 });
    expect(await verify()).toMatchObject({ isIntact: true, rows: 2, verifiedTo: 3 });
  });

  it("writes a SECURITY log line at any LOG_LEVEL", async () => {
    await changes(2);
    await seal();
    const [row] = await seals();
    expect(lines.read("audit_sealed")).toMatchObject([
      { level: "SECURITY", data: { lastId: 2, count: 2, hash: row?.hash } },
    ]);
  });

  it("creates one seal for concurrent calls", async () => {
    await changes(5);
    const made = await Promise.all(Array.from({ length: 6 }, seal));
    expect(made.filter(({ seals }) => seals === 1)).toHaveLength(1);
    expect(await seals()).toHaveLength(1);
    expect((await verify()).isIntact).toBe(true);
  });

  it("covers at most ten thousand rows per seal", async () => {
    await changes(10_001);
    expect(await seal()).toEqual({ seals: 2, rows: 10_001 });
    expect(await verify()).toMatchObject({ isIntact: true, rows: 10_001 });
  }, 60_000);

  it("stays verifiable after a key rotation, and reports unknown_key without the old key", async () => {
    const [old, next] = [
      "an-old-data-key-of-32-bytes-or-more",
      "a-new-data-key-of-32-bytes-or-more",
    ];
    setEnvironment({ DATA_KEY: old });
    await changes(1);
    await seal();
    setEnvironment({ DATA_KEY: next, DATA_KEY_PREVIOUS: old });
    await changes(1);
    await seal();
    expect((await verify()).isIntact).toBe(true);
    const [first, second] = await seals();
    expect(first?.key_id).not.toBe(second?.key_id);
    setEnvironment({ DATA_KEY: next });
    expect(await findings()).toEqual([
      { kind: "unknown_key", what: "seal", firstId: 1, lastId: 1 },
    ]);
  });

  it.each(["update audit_seals set rows = 1", "delete from audit_seals", "truncate audit_seals"])(
    "is protected by triggers from: %s",
    async (statement) => {
      await aSealedLog();
      await expect(stores.sql(statement)).rejects.toThrow("audit_seals is append-only");
    },
  );
});

describe("verifyAudit", () => {
  it("finds altered rows", async () => {
    await aSealedLog();
    await asSuperuser("update audit_log set actor_id = 'another-user' where id = 2");
    expect(await findings()).toEqual([{ kind: "altered", what: "rows", firstId: 1, lastId: 3 }]);
  });

  it.each(["at = at + interval '1 microsecond'", "reason = null", "ip_prefix = '192.0.2.0/24'"])(
    "finds a change such as %s",
    async (change) => {
      await aSealedLog();
      await asSuperuser(`update audit_log set ${change} where id = 5`);
      expect(await findings()).toEqual([{ kind: "altered", what: "rows", firstId: 4, lastId: 6 }]);
    },
  );

  it("finds rows inserted afterwards", async () => {
    await changes(3);
    await asSuperuser("delete from audit_log where id = 2");
    await seal();
    await asSuperuser(
      `insert into audit_log (id, actor_kind, action, correlation_id)
       overriding system value values (2, 'system', 'forged', 'c')`,
    );
    expect(await findings()).toEqual([{ kind: "altered", what: "rows", firstId: 1, lastId: 3 }]);
  });

  it("finds deleted rows", async () => {
    await aSealedLog();
    await asSuperuser("delete from audit_log where id = 2");
    expect(await findings()).toEqual([{ kind: "deleted", what: "rows", firstId: 1, lastId: 3 }]);
  });

  it("finds a truncated log", async () => {
    await aSealedLog();
    await asSuperuser("delete from audit_log where id >= 5");
    expect(await findings()).toEqual([{ kind: "truncated", what: "rows", firstId: 4, lastId: 6 }]);
  });

  it("finds an emptied log, also after later writes", async () => {
    await aSealedLog();
    await asSuperuser("truncate audit_log");
    const emptied = [{ kind: "truncated", what: "rows", firstId: 1, lastId: 6 }];
    expect(await findings()).toEqual(emptied);
    await changes(2);
    expect(await findings()).toEqual(emptied);
  });

  it("finds rows that should have been sealed", async () => {
    await aSealedLog();
    await changes(2, 119);
    expect(await findings()).toEqual([]);
    await changes(2, 121);
    expect(await findings()).toEqual([{ kind: "unsealed", what: "rows", firstId: 9, lastId: 10 }]);
    await seal();
    expect(await findings()).toEqual([]);
  });

  it("finds rows with a future time, which would never be sealed", async () => {
    await changes(1, -60);
    expect(await findings()).toEqual([{ kind: "unsealed", what: "rows", firstId: 1, lastId: 1 }]);
  });

  it("finds a seal made without the data key", async () => {
    await aSealedLog();
    await asSuperuser("update audit_seals set rows = 2 where last_id = 6");
    expect(await findings()).toEqual([
      { kind: "altered", what: "seal", firstId: 4, lastId: 6 },
      { kind: "altered", what: "rows", firstId: 4, lastId: 6 },
    ]);
  });

  it("finds a deleted seal between others", async () => {
    await aSealedLog();
    await asSuperuser("delete from audit_seals where last_id = 3");
    expect(await findings()).toEqual([{ kind: "deleted", what: "seal", firstId: 1, lastId: 3 }]);
  });

  it("checks the anchor even when the time is over", async () => {
    const anchor = { lastId: 10 ** 9, hash: "0".repeat(64) };
    const { isComplete, findings: found } = await verifyAudit(aContext(), 0, { anchor });
    expect(isComplete).toBe(false);
    expect(found).toMatchObject([{ kind: "truncated", what: "seal" }]);
  });

  it("finds a truncation together with its seal only with an anchor", async () => {
    await aSealedLog();
    const [first, last] = await seals();
    const anchorOf = (row: typeof last) => ({
      lastId: Number(row?.last_id),
      hash: row?.hash ?? "",
    });
    expect(await findings(anchorOf(last))).toEqual([]);
    await asSuperuser(
      "delete from audit_log where id > 3",
      "delete from audit_seals where last_id > 3",
    );
    expect(await findings()).toEqual([]);
    expect(await findings(anchorOf(first))).toEqual([]);
    expect(await findings(anchorOf(last))).toEqual([
      { kind: "truncated", what: "seal", firstId: 6, lastId: 6 },
    ]);
    expect(await findings({ lastId: 3, hash: "another" })).toEqual([
      { kind: "altered", what: "seal", firstId: 3, lastId: 3 },
    ]);
  });

  it("reports how far it came when its time is over, and continues from there", async () => {
    await aSealedLog();
    await asSuperuser("update audit_log set action = 'x' where id = 2");
    expect(await verifyAudit(aContext(), 0)).toMatchObject({ isComplete: false, verifiedTo: 0 });
    expect(await verifyAudit(aContext(), soon(), { from: 3 })).toMatchObject({
      isIntact: true,
      isComplete: true,
      seals: 1,
      verifiedTo: 6,
    });
  });

  it("reports what protects the log from changes", async () => {
    expect((await verify()).protectedBy).toBe("triggers");
  });
});

describe("the retention of the audit log", () => {
  /** Creates two seals, the first of which is this old. */
  async function aSealFrom(days: number): Promise<void> {
    await changes(3);
    await seal();
    await ageSeal(days);
    await changes(3);
    await seal();
  }
  /** Changes the time of the first seal and its HMAC. */
  async function ageSeal(days: number): Promise<void> {
    const { sealText, sign } = await import("../../../lib/audit/seal.js");
    const [row] = await seals();
    const at = new Date(Date.now() - days * 86_400_000).toISOString().replace("Z", "000Z");
    const text = sealText({
      firstId: 1,
      lastId: 3,
      rows: 3,
      hash: row?.hash ?? "",
      previous: "genesis",
      at,
    });
    const { hmac } = sign(aContext().env, text);
    await asSuperuser(`update audit_seals set at = '${at}', hmac = '${hmac}' where last_id = 3`);
  }

  it("deletes the rows of old seals once and keeps the seals", async () => {
    await aSealFrom(91);
    expect((await verify()).isIntact).toBe(true);
    expect(await retire()).toEqual({ seals: 1, rows: 3 });
    expect(await retire()).toEqual({ seals: 0, rows: 0 });
    expect(await stores.sql("select id from audit_log order by id")).toMatchObject([
      { id: "4" },
      { id: "5" },
      { id: "6" },
    ]);
    expect(await seals()).toHaveLength(2);
    expect(await verify()).toMatchObject({ isIntact: true, retiredTo: 3, rows: 3, seals: 2 });
  });

  it("keeps newer rows", async () => {
    await aSealFrom(89);
    expect(await retire()).toEqual({ seals: 0, rows: 0 });
    setEnvironment({ AUDIT_RETENTION_DAYS: "60" });
    expect(await retire()).toEqual({ seals: 1, rows: 3 });
    setEnvironment({ AUDIT_RETENTION_DAYS: "365" });
    expect((await verify()).isIntact).toBe(true);
  });

  it("does not fail a verification at the same time", async () => {
    await aSealFrom(91);
    let isBetween = false;
    // Between the reads of the retirements and of the rows.
    const retireBefore = async (body: unknown) => {
      if (isBetween || !JSON.stringify(body).includes("as seal (first_id")) return false;
      isBetween = true;
      await retire();
      return false;
    };
    await stores.faults.postgres.set({ kind: "latency", ms: 1, match: retireBefore });
    const found = await verify();
    await stores.faults.postgres.set(null);
    expect(isBetween).toBe(true);
    expect(found).toMatchObject({ isIntact: true, findings: [], rows: 3 });
  });

  it("counts days of 24 hours across a change to daylight saving time", async () => {
    await aSealFrom(90 - 0.5 / 24);
    await putClockForward();
    const dropped = await retire();
    await stores.sql("reset timezone");
    expect(dropped).toEqual({ seals: 0, rows: 0 });
    expect((await verify()).isIntact).toBe(true);
  });

  /** Sets a zone in which yesterday was an hour shorter. */
  async function putClockForward(): Promise<void> {
    const [today] = await stores.sql("select to_char(now() at time zone 'utc', 'DDD') as day");
    const yesterday = ((Number(today?.day) + 363) % 365) + 1;
    const zone = `STD0DST-1,J${yesterday},J${((yesterday + 40) % 365) + 1}`;
    // In a function, because a direct SET is reset after its statement.
    await stores.sql(`create function put_clock_forward() returns void language sql as
      $$ select set_config('timezone', '${zone}', false) $$`);
    await stores.sql("select put_clock_forward()");
  }

  it("never deletes rows younger than 30 days, for any caller and setting", async () => {
    await aSealFrom(29);
    setEnvironment({ AUDIT_RETENTION_DAYS: "1" });
    expect(await retire()).toEqual({ seals: 0, rows: 0 });
    await expect(stores.sql("select retire_audit_rows(3, 1)")).rejects.toThrow("30 days");
    await stores.sql("select retire_audit_rows(3, 30)");
    await stores.sql("select retire_audit_rows(2, 30)");
    expect(await newestId()).toBe(6);
    expect((await verify()).rows).toBe(6);
  });

  it("reports forged retirements as deletions", async () => {
    await aSealFrom(91);
    await stores.sql("select retire_audit_rows(3, 90)");
    expect(await findings()).toEqual([{ kind: "deleted", what: "rows", firstId: 1, lastId: 3 }]);
    await stores.sql("insert into audit_retirements values (3, 90, 'made up', 'x', now())");
    expect(await findings()).toEqual([{ kind: "deleted", what: "rows", firstId: 1, lastId: 3 }]);
  });

  it("keeps the triggers enabled", async () => {
    await aSealFrom(91);
    await retire();
    await expect(stores.sql("delete from audit_log")).rejects.toThrow("audit_log is append-only");
  });
});
