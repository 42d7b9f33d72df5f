import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { password } from "../support/people.js";
import { rotation, type Tokens, times, useTwoProcesses } from "../support/two-processes.js";

const cronSecret = "cron-secret-of-the-tests";
const processes = useTwoProcesses({ environment: { CRON_SECRET: cronSecret } });
const { sql, redis, at } = processes;

let calls = 0;
const address = () => {
  calls += 1;
  return { "x-forwarded-for": `10.77.${calls >> 8}.${calls & 255}` };
};

async function send(turn: number, method: string, path: string, token?: string, body?: unknown) {
  const response = await fetch(`${at(turn)}${path}`, {
    method,
    headers: {
      ...address(),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body ? { "content-type": "application/json" } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text().catch(() => "");
  return { status: response.status, text, body: text.startsWith("{") ? parsed(text) : undefined };
}

function parsed(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const cron = (turn: number, name: string) => send(turn, "GET", `/api/cron/${name}`, cronSecret);
const cancel = (turn: number, cancelToken: string) =>
  send(turn, "POST", "/api/auth/cancel-deletion", undefined, { cancelToken });

/** Tables and keys that name the account, besides its receipts, its audit rows, and the record of requests. */
async function traces(userId: string): Promise<string[]> {
  const tables = await sql<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace
       and relkind in ('r', 'p') and not relispartition and relname not in ('audit_log', 'erasures')`,
  );
  const found: string[] = [];
  for (const { relname } of tables) {
    const [row] = await sql<{ found: boolean }>(
      `select exists (select 1 from ${relname} t where to_jsonb(t)::text like '%' || $1 || '%') as found`,
      [userId],
    );
    if (row?.found) found.push(relname);
  }
  for (const key of (await redis("KEYS", "*")) as string[]) {
    if (["erasures", "events"].includes(key)) continue;
    const type = (await redis("TYPE", key)) as string;
    const read = { hash: ["HGETALL"], string: ["GET"], set: ["SMEMBERS"] }[type] ?? ["TYPE"];
    const value = JSON.stringify(await redis(...read, key));
    if (key.includes(userId) || value.includes(userId)) found.push(key);
  }
  return found;
}

async function purge(userIds: string[]): Promise<void> {
  await sql("update users set purge_at = now() - interval '1 second' where id = any($1)", [
    userIds,
  ]);
  await sql("delete from cron_leases where job = 'cleanup'");
  expect((await cron(0, "cleanup")).status).toBe(200);
}

describe("a deletion that meets other requests of its account", { timeout: 240_000 }, () => {
  it("wins, is cancelled as a whole, and the purge afterwards leaves nothing", async () => {
    for (const turn of times(6, (index) => index)) {
      const ada = await processes.aLearner(turn);
      const guest = (await send(turn, "POST", "/api/auth/guest", undefined, {})).body;
      const token = ada.accessToken;
      const [removed, ...others] = await Promise.all([
        send(turn, "DELETE", "/api/user", token, { password }),
        processes.refresh(turn + 1, ada.refreshToken, rotation()),
        send(turn + 1, "POST", "/api/auth/login", guest.accessToken, {
          email: ada.email,
          password,
        }),
        send(turn, "POST", "/api/auth/change-email", token, { email: `new-${randomUUID()}@x.org` }),
        send(turn + 1, "GET", "/api/user/export", token),
        send(turn, "PATCH", "/api/user", token, { name: "Late" }),
        send(turn + 1, "DELETE", "/api/user", token, { password }),
      ]);
      expect(removed.status, removed.text).toBe(202);
      for (const { status } of others) expect(status).not.toBe(500);
      const again = await send(turn + 1, "DELETE", "/api/user", token, { password });
      expect([again.status, again.text]).toEqual([202, removed.text]);
      expect((await send(turn, "GET", "/api/user", token)).status).toBe(401);
      const live = await sql("select 1 from sessions where user_id = $1 and revoked_at is null", [
        ada.userId,
      ]);
      expect(live).toEqual([]);

      const cancels = await Promise.all(
        [0, 1, 2].map((one) => cancel(one, removed.body.cancelToken)),
      );
      expect(cancels.map(({ status }) => status).sort()).toEqual([204, 422, 422]);
      const { pair, status, code } = await processes.logIn(turn, ada.email);
      expect([status, code]).toEqual([200, undefined]);
      expect((await send(turn, "DELETE", "/api/user", token, { password })).status).toBe(401);

      const last = await send(turn, "DELETE", "/api/user", pair?.accessToken ?? "", { password });
      expect(last.status).toBe(202);
      const ids = (
        await sql<{ id: string }>("select id from users where id = $1 or merged_into = $1", [
          ada.userId,
        ])
      ).map(({ id }) => id);
      await purge(ids);
      for (const id of ids) {
        await expect.poll(() => traces(id), { timeout: 20_000 }).toEqual([]);
        const receipts = await sql("select 1 from erasures where user_id = $1", [id]);
        expect(receipts).toHaveLength(1);
      }
      expect(JSON.stringify(await sql("select * from audit_log"))).not.toContain(ada.email);
    }
  });
});

describe("a purge", { timeout: 240_000 }, () => {
  const due = async (count: number): Promise<Tokens[]> => {
    const people = await Promise.all(times(count, () => processes.aRecordedLearner()));
    await sql("update users set purge_at = now() - interval '1 second' where id = any($1)", [
      people.map(({ userId }) => userId),
    ]);
    return people;
  };
  const left = async (people: Tokens[]) => {
    const [row] = await sql<{ left: number; receipts: number; audits: number; sessions: number }>(
      `select (select count(*)::int from users where id = any($1)) as left,
         (select count(*)::int from sessions where user_id = any($1)) as sessions,
         (select count(*)::int from erasures where user_id = any($1)) as receipts,
         (select count(*)::int from audit_log where action = 'account.erased'
            and subject_id = any(cast($1 as text[]))) as audits`,
      [people.map(({ userId }) => userId)],
    );
    return row;
  };

  it("that was killed half-way is finished by the next one, each account once", async () => {
    const people = await due(150);
    const server = await processes.start();
    await sql("delete from cron_leases where job = 'cleanup'");
    const killed = fetch(`${server.url}/api/cron/cleanup`, {
      headers: { authorization: `Bearer ${cronSecret}` },
    }).catch(() => null);
    await expect
      .poll(async () => (await left(people))?.left, { timeout: 60_000, interval: 5 })
      .toBeLessThan(150);
    await server.kill();
    await killed;
    const half = await left(people);
    expect(half?.left).toBeGreaterThan(0);
    expect(half?.receipts).toBe(150 - (half?.left ?? 0));
    expect(half?.audits).toBe(half?.receipts);
    await purge(people.map(({ userId }) => userId));
    expect(await left(people)).toEqual({ left: 0, sessions: 0, receipts: 150, audits: 150 });
  });
});

describe("an export", { timeout: 120_000 }, () => {
  it("is given 3 times a day, however many are asked for at once in two processes", async () => {
    const ada = await processes.aRecordedLearner();
    const answers = await Promise.all(
      times(10, (turn) => send(turn, "GET", "/api/user/export", ada.accessToken)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });

  it("has every text as it was stored, also 5 MB of them", async () => {
    const ada = await processes.aRecordedLearner();
    const odd = 'a\n\r\t"\\\u2028\u2029\u0001\u007f\u{1f600}</script>é';
    const large = "\u2028x".repeat(1_300_000);
    await sql("update users set name = $2 where id = $1", [ada.userId, odd]);
    await sql("insert into preferences (user_id, profile, updated_at) values ($1, $2, now())", [
      ada.userId,
      JSON.stringify({ large, [odd]: "\ud83d\ude00", escaped: "\\u0000" }),
    ]);
    const { status, body } = await send(0, "GET", "/api/user/export", ada.accessToken);
    expect(status).toBe(200);
    expect(body.accounts[0].name).toBe(odd);
    const [{ profile }] = body.preferences;
    expect(profile.large === large).toBe(true);
    expect([profile[odd], profile.escaped]).toEqual(["\ud83d\ude00", "\\u0000"]);
  });

  it("of a name with a lone surrogate is valid JSON", async () => {
    const ada = await processes.aRecordedLearner();
    const response = await fetch(`${at(0)}/api/user`, {
      method: "PATCH",
      headers: {
        authorization: `Bearer ${ada.accessToken}`,
        "content-type": "application/json",
      },
      body: '{"name":"A\\ud800B"}',
    });
    expect([200, 422]).toContain(response.status);
    const { status, body } = await send(0, "GET", "/api/user/export", ada.accessToken);
    expect([status, body.accounts.length]).toEqual([200, 1]);
  });
});
