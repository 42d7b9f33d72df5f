import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import tick from "../../../api/cron/tick.js";
import { newMailId, queueMail } from "../../../lib/mail/queue-mail.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useMailbox } from "../../support/mailbox.js";
import { aUser } from "../../support/people.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();
const lines = useLogLines();
const secret = "the-clock-secret-of-the-tests";
const environment = { CRON_SECRET: secret, LOG_LEVEL: "info" };
useEnvironment(environment);

/** A busy machine's Redis may miss its 250 ms: the next tick makes up for it, which is the point. */
const patient = { timeout: 15_000, interval: 500 };
const run = () => call(tick, "GET", { token: secret });
beforeEach(() => nextSlot(stores));

async function aWaitingMail() {
  const email = `learner-${randomUUID()}@example.com`;
  const ctx = aContext();
  const mail = { template: "password_changed", to: { email } } as const;
  await queueMail(ctx, newMailId(), mail, { send: true });
  return email;
}

/** A session that has ended in Postgres, while its key is still in Redis. */
async function aKeyLeftOver() {
  const { sessionId } = await aUser();
  await stores.settled();
  await stores.sql(
    "update sessions set revoked_at = now(), revoked_reason = 'logged_out' where id = $1",
    sessionId,
  );
  return () => stores.redis("EXISTS", `session:${sessionId}`);
}

/** The service that watches the clock. */
async function aWatcher(status: number) {
  const beats: string[] = [];
  const server: Server = createServer((request, response) => {
    beats.push(request.url ?? "");
    if (status > 0) response.writeHead(status).end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  setEnvironment({ ...environment, HEARTBEAT_URL: `http://127.0.0.1:${port}/ping/clock` });
  watchers.push(server);
  return beats;
}
const watchers: Server[] = [];
afterEach(() => {
  for (const server of watchers.splice(0)) server.close(() => {}).closeAllConnections();
});

describe("the heartbeat", () => {
  it("is sent once after a tick that did all of its work, and after no other", async () => {
    const beats = await aWatcher(200);
    await expect.poll(run, patient).toMatchObject({ status: 200, body: { ran: true } });
    expect(beats).toEqual(["/ping/clock"]);
    const again = await run();
    expect(beats).toHaveLength(again.body.ran ? 2 : 1);
    beats.length = 1;
    await nextSlot(stores);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await run()).status).toBe(500);
    expect(beats).toHaveLength(1);
    expect(lines.read("heartbeat_failed")).toEqual([]);
  });

  it.each([
    [500, "status_500"],
    [0, "timeout"],
  ])("costs a warning and nothing else when the watcher answers %i", async (status, reason) => {
    const beats = await aWatcher(status);
    await expect.poll(run, patient).toMatchObject({ status: 200, body: { ran: true } });
    expect(beats).toHaveLength(1);
    expect(lines.read("heartbeat_failed")).toMatchObject([{ level: "WARN", data: { reason } }]);
  });
});

describe("GET /api/cron/tick", () => {
  it("sends waiting mail and deletes left-over keys, and tells how much", async () => {
    const [email, isThere] = [await aWaitingMail(), await aKeyLeftOver()];
    const revoked = "select count(*) from sessions where revoked_at is not null";
    const sessions = Number((await stores.sql(revoked))[0]?.count);
    await expect.poll(run, patient).toMatchObject({
      status: 200,
      body: {
        slot: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/),
        ran: true,
        parts: {
          sweep_session_keys: { outcome: "done", detail: { sessions } },
          deliver_mail: { outcome: "done" },
          run_jobs: { outcome: "done", detail: { done: 0, dead: 0 } },
        },
      },
    });
    expect(await mailbox.to(email)).toHaveLength(1);
    expect(await isThere()).toBe(0);
  });

  it("does nothing twice, run again or at once", async () => {
    const emails = await Promise.all(Array.from({ length: 6 }, aWaitingMail));
    const answers = await Promise.all([run(), run(), run()]);
    answers.push(await run());
    for (const email of emails) expect(await mailbox.to(email)).toHaveLength(1);
    // A minute may end in the midst of them.
    const slots = answers.filter(({ body }) => body.ran).map(({ body }) => body.slot);
    expect(slots).not.toEqual([]);
    expect(new Set(slots).size).toBe(slots.length);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it("does what is due again in the next slot, and tells when it last did all of it", async () => {
    const gauge = async () => {
      const series = 'cron_last_success_timestamp_seconds{job="tick"}';
      const rows = await stores.sql("select * from telemetry_gauges where series = $1", series);
      return Number(rows[0]?.value ?? 0);
    };
    const first = await run();
    const email = await aWaitingMail();
    const done = await gauge();
    expect(Math.abs(done - Date.now() / 1000)).toBeLessThan(60);
    const second = await run();
    // A minute may have ended in between.
    const isSameSlot = second.body.slot === first.body.slot;
    expect(second.body.ran).toBe(!isSameSlot);
    if (isSameSlot) expect(await mailbox.to(email)).toEqual([]);
    if (isSameSlot) expect(await gauge()).toBe(done);
    await nextSlot(stores);
    expect((await run()).body.ran).toBe(true);
    expect(await mailbox.to(email)).toHaveLength(1);
    expect(await gauge()).toBeGreaterThan(done);
  });

  it("sends mail although Redis is away, and answers 500 so that the clock shows it", async () => {
    const email = await aWaitingMail();
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await run()).toMatchObject({ status: 500, code: "internal_error" });
    expect(await mailbox.to(email)).toHaveLength(1);
    expect(lines.read("tick_part_failed")).toMatchObject([
      { level: "ERROR", data: { operation: "drain_events" } },
      { level: "ERROR", data: { operation: "record_breakers" } },
      { level: "ERROR", data: { operation: "mirror_gate" } },
      { level: "ERROR", data: { operation: "sweep_session_keys" } },
    ]);
  });

  it("deletes left-over keys although no mail can be read", async () => {
    const isThere = await aKeyLeftOver();
    const isMail = (body: unknown) => JSON.stringify(body).includes('"mail"');
    await stores.faults.postgres.set({ kind: "reset", match: isMail });
    await expect.poll(run, patient).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(await isThere()).toBe(0);
    expect(lines.read("tick_part_failed").at(-1)).toMatchObject({
      level: "ERROR",
      data: { operation: "deliver_mail" },
    });
  });

  it("is for the clock alone", async () => {
    const email = await aWaitingMail();
    const strangers = [
      {},
      { token: "guess" },
      { headers: { authorization: `Basic ${secret}` } },
      { token: (await aUser()).accessToken },
    ];
    for (const stranger of strangers) {
      expect(await call(tick, "GET", stranger)).toMatchObject({
        status: 401,
        code: "cron_secret_invalid",
      });
    }
    expect(lines.read("cron_secret_invalid")).toHaveLength(strangers.length);
    setEnvironment({ ...environment, CRON_SECRET: "" });
    expect(await call(tick, "GET", { token: "" })).toMatchObject({ status: 401 });
    expect(await mailbox.to(email)).toEqual([]);
  });

  it("is served under any host name", async () => {
    setEnvironment({ ...environment, ALLOWED_HOSTS: "linguamate.com" });
    const url = "http://elsewhere.example.com/api/cron/tick";
    const elsewhere = () => call(tick, "GET", { token: secret, url });
    await expect.poll(elsewhere, patient).toMatchObject({ status: 200 });
  });
});
