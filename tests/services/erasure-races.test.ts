import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { password } from "../support/people.js";
import { post, rotation, times, useTwoProcesses } from "../support/two-processes.js";

const processes = useTwoProcesses();

async function aGuest(turn: number) {
  const response = await post(`${processes.at(turn)}/api/auth/guest`, {}, addressOf(turn));
  expect(response.status).toBe(201);
  return (await response.json()) as {
    accessToken: string;
    refreshToken: string;
    sessionId: string;
    user: { id: string };
  };
}

const deviceId = randomUUID();
const addressOf = (turn: number) => ({ "x-forwarded-for": `10.9.${turn >> 8}.${turn & 255}` });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function send(turn: number, method: string, path: string, token: string, body?: unknown) {
  const response = await fetch(`${processes.at(turn)}${path}`, {
    method,
    headers: { ...bearer(token), ...(body ? { "content-type": "application/json" } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, text: await response.text().catch(() => null) };
}

/** Tables and keys that name the account, besides its receipt and its audit rows. */
async function traces(userId: string, sessionId: string): Promise<string[]> {
  const tables = await processes.sql<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace
       and relkind in ('r', 'p') and not relispartition and relname not in ('audit_log', 'erasures')`,
  );
  const found: string[] = [];
  for (const { relname } of tables) {
    const [row] = await processes.sql<{ found: boolean }>(
      `select exists (select 1 from ${relname} t where to_jsonb(t)::text like '%' || $1 || '%') as found`,
      [userId],
    );
    // The next cleanup changes late events. A late mail has the ID only, is never sent, and expires within a day.
    if (row?.found && !["security_events", "queue_entries"].includes(relname)) found.push(relname);
  }
  const keys = (await processes.redis("KEYS", "*")) as string[];
  const isNamed = (key: string) => key.includes(userId) || key === `session:${sessionId}`;
  // The next cleanup deletes the counters of requests that came after the erasure.
  return [...found, ...keys.filter((key) => isNamed(key) && !key.startsWith("rate:"))];
}

describe("a deletion in one process", () => {
  it("is not undone by refreshes, writes and exports in the other one", async () => {
    for (const turn of times(12, (index) => index)) {
      const guest = await aGuest(turn);
      const { accessToken: token, refreshToken } = guest;
      // Of one device: without its ID the second one would count as theft and end the session before the deletion.
      const refreshes = () => processes.refresh(turn + 1, refreshToken, rotation(deviceId));
      const write = () => send(turn + 1, "PATCH", "/api/user", token, { name: "Back" });
      const [removed, ...others] = await Promise.all([
        send(turn, "DELETE", "/api/user", token),
        refreshes(),
        write(),
        send(turn + 1, "GET", "/api/user/export", token),
        refreshes(),
        write(),
      ]);
      expect(removed.status, removed.text ?? "").toBe(202);
      for (const { status } of others) expect(status).toBeLessThan(500);
      expect((await send(turn + 1, "GET", "/api/user", token)).status).toBe(401);
      expect((await refreshes()).status).toBe(401);
      expect(await traces(guest.user.id, guest.sessionId)).toEqual([]);
    }
  }, 120_000);

  it("of a user with ten sessions ends them in both", async () => {
    const ada = await processes.aLearner();
    const tokens = [ada.accessToken];
    while (tokens.length < 10) {
      const { pair } = await processes.logIn(tokens.length, ada.email);
      tokens.push(pair?.accessToken ?? "");
    }
    const answers = await Promise.all(
      tokens.map((token, turn) => send(turn, "DELETE", "/api/user", token, { password })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted.length).toBeGreaterThan(0);
    expect(new Set(accepted.map(({ text }) => text)).size).toBe(1);
    for (const [turn, token] of tokens.entries()) {
      expect((await send(turn, "GET", "/api/user", token)).status).toBe(401);
    }
    const [row] = await processes.sql<{ count: number }>(
      "select cast(count(*) as integer) as count from queue_entries where payload ->> 'template' = 'deletion_requested'",
    );
    expect(row?.count).toBe(1);
  }, 120_000);

  it("is finished by the other process when this one is killed after the commit", async () => {
    const guest = await aGuest(200);
    // What the process leaves behind that is killed between Postgres and Redis.
    await processes.transaction(
      ["delete from sessions where user_id = $1", [guest.user.id]],
      ["delete from users where id = $1", [guest.user.id]],
      ["insert into erasures values ($1, now())", [guest.user.id]],
      [
        `insert into queue_entries (id, kind, payload, correlation_id) values (gen_random_uuid(), 'erasure',
          jsonb_build_object('userIds', jsonb_build_array($1::text), 'erasedAtMs', 1, 'sessionIds', '[]'::jsonb,
            'recentSessionIds', jsonb_build_array($2::text), 'limitKeys', '[]'::jsonb), 'c')`,
        [guest.user.id, guest.sessionId],
      ],
    );
    expect(await processes.redis("EXISTS", `session:${guest.sessionId}`)).toBe(1);
    await expect
      .poll(() => processes.redis("EXISTS", `session:${guest.sessionId}`), {
        timeout: 100_000,
        interval: 500,
      })
      .toBe(0);
    expect(JSON.stringify(await processes.redis("XRANGE", "erasures", "-", "+"))).toContain(
      guest.user.id,
    );
  }, 120_000);
});
