import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ResendEndpoint, startResendEndpoint } from "../../dev/mailbox/resend-endpoint.js";
import { addressHash } from "../../lib/mail/address-hash.js";
import { deliver, deliverDue } from "../../lib/mail/deliver.js";
import { newMailId, queueMail } from "../../lib/mail/queue-mail.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { aContext } from "../support/context.js";
import { useMailbox } from "../support/mailbox.js";
import { copyBuiltProject } from "../support/project-copy.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";
import { useStores } from "../support/stores.js";

const anAddress = () => `learner-${randomUUID()}@example.com`;

describe("parallel mail deliveries", () => {
  const stores = useStores();
  const mailbox = useMailbox();

  async function queued(email = anAddress()) {
    const id = newMailId();
    await queueMail(aContext(), id, { template: "address_taken", to: { email } }, { send: true });
    return { id, email };
  }
  const rowsLeft = async () => (await stores.sql("select count(*) from queue_entries"))[0]?.count;

  it("send each mail exactly once, with one request each", async () => {
    const mails = await Promise.all(Array.from({ length: 30 }, () => queued()));
    const ids = mails.map(({ id }) => id);
    const before = mailbox.provider.requests();
    mailbox.provider.fail({ kind: "latency", ms: 30 });
    await Promise.all([
      ...Array.from({ length: 6 }, () => deliverDue(aContext())),
      ...Array.from({ length: 3 }, () => deliver(aContext(), ids)),
    ]);
    for (const { email } of mails) expect(await mailbox.to(email)).toHaveLength(1);
    expect(mailbox.provider.requests() - before).toBe(mails.length);
    expect(await rowsLeft()).toBe("0");
  });

  it("send exactly three of 20 parallel mails to one address", async () => {
    const email = anAddress();
    const mails = await Promise.all(Array.from({ length: 20 }, () => queued(email)));
    await Promise.all(mails.map(({ id }) => deliver(aContext(), [id])));
    expect(await mailbox.to(email)).toHaveLength(3);
    expect(await rowsLeft()).toBe("0");
    const [budget] = await stores.sql(
      "select cardinality(admitted_at) as count from mail_budgets where address_hash = $1",
      addressHash(aContext().env, email),
    );
    expect(budget).toEqual({ count: "3" });
  });
});

describe("processes that are killed during mail delivery", () => {
  const project = copyBuiltProject();
  const secret = "the-clock-secret-of-the-tests";
  const running = new Set<ServerProcess>();
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let client: pg.Client;
  let provider: ResendEndpoint;
  let redis: RedisBackend;

  beforeAll(async () => {
    redis = await openWorkerRedis();
    database = await createDatabase(inject("migrated"));
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    provider = await startResendEndpoint("re_of-the-tests");
  });
  afterAll(async () => {
    for (const server of running) await server.kill();
    await redis.close();
    await provider.close();
    await client.end();
    await database.drop();
    project.remove();
  });

  async function start(): Promise<ServerProcess> {
    const server = await startServerProcess(project.root, builtServer, {
      DATABASE_URL: database.url,
      REDIS_URL: workerRedisUrl(),
      JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
      RESEND_API_URL: provider.url,
      RESEND_API_KEY: provider.apiKey,
      CRON_SECRET: secret,
    });
    running.add(server);
    return server;
  }
  const tick = ({ url }: ServerProcess) =>
    fetch(`${url}/api/cron/tick`, { headers: { authorization: `Bearer ${secret}` } });
  /** Expire the leases of killed processes. */
  const expireLeases = async () => {
    await client.query("update queue_entries set run_after = now()");
    await client.query("update cron_leases set done_slot = null, held_until = now()");
  };
  const rowsLeft = async () =>
    Number((await client.query("select id from queue_entries")).rowCount);

  it("lose no mail and send no mail twice", async () => {
    const emails = Array.from({ length: 60 }, anAddress);
    await client.query(
      `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after)
       select gen_random_uuid(), 'mail',
         jsonb_build_object('template', 'password_changed', 'to', jsonb_build_object('email', email)),
         'test', now(), now() + interval '1 day', now()
       from unnest($1::text[]) as addressed (email)`,
      [emails],
    );
    for (let round = 0; round < 4; round += 1) {
      const server = await start();
      const before = provider.requests();
      provider.fail({ kind: "latency", ms: 200 });
      const cut = tick(server).catch(() => {});
      await expect.poll(() => provider.requests(), { timeout: 20_000 }).toBeGreaterThan(before);
      await server.kill();
      running.delete(server);
      await cut;
      expect(await rowsLeft()).toBeGreaterThan(0);
      await expireLeases();
    }
    provider.fail({ kind: "lose-reply", times: 2 });
    const last = await start();
    for (let round = 0; round < 20 && (await rowsLeft()) > 0; round += 1) {
      await tick(last);
      await expireLeases();
    }
    expect(await rowsLeft()).toBe(0);
    const received = provider.mailbox.list().flatMap(({ to }) => to);
    expect(received.sort()).toEqual(emails.sort());
  }, 120_000);
});
