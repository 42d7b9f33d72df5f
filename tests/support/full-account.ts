import { randomUUID } from "node:crypto";
import { env } from "../../lib/env.js";
import { findPerson } from "../../lib/privacy/person.js";
import { aContext } from "./context.js";
import { aUser, type Person } from "./people.js";
import type { Stores } from "./stores.js";

export interface FullAccount extends Person {
  /** A guest that was merged into the account. */
  guestId: string;
  /** Occurs in every text of the account that a person wrote. */
  mark: string;
}

/** Its security event is a failed sign-in to the full account with a token of its own. */
export const anotherId = "7d0f3c1e-5a2b-4c6d-8e9f-0a1b2c3d4e5f";

/** An account with a row in every personal table but the receipts of erasures, and a guest merged into it. */
export async function aFullAccount(stores: Stores): Promise<FullAccount> {
  const mark = `mark-${randomUUID()}`;
  const person = await aUser({ name: mark });
  const { id } = person.user;
  const guestId = randomUUID();
  await stores.sql(
    "update users set email = claimed_email, claimed_email = null, role = 'operator' where id = $1",
    id,
  );
  await stores.sql(
    `insert into users (id, name, merged_into) values ($1, $3, $2)`,
    guestId,
    id,
    `guest-${mark}`,
  );
  const rows: [string, ...(string | null)[]][] = [
    [
      `insert into sessions (id, user_id, device_name, auth_methods, authenticated_at, created_at,
         last_seen_at, idle_expires_at, revoked_at)
       values ($1, $2, $3, '{}', now(), now(), now(), now(), now())`,
      randomUUID().slice(0, 22),
      guestId,
      `guest-${mark}`,
    ],
    [
      "insert into preferences (user_id, profile, updated_at) values ($1, jsonb_build_object('x', $2::text), now())",
      id,
      mark,
    ],
    ["insert into learners values ($1, 1, 5)", id],
    [
      "insert into attempts (user_id, id, lesson_id, course_id, version, state, seed, started_at, received_at, revision) values ($1, $1, gen_random_uuid(), gen_random_uuid(), 1, 'started', 1, now(), now(), 1)",
      id,
    ],
    [
      "insert into attempt_answers values ($1, $1, gen_random_uuid(), gen_random_uuid(), 1, jsonb_build_object('text', $2::text), 'wrong', '{}', 1, 900, now(), now())",
      id,
      mark,
    ],
    [
      "insert into lesson_progress values ($1, gen_random_uuid(), gen_random_uuid(), 'completed', 1, now(), 1)",
      id,
    ],
    ["insert into xp_entries values ($1, 'test', 'fact', 5, current_date, now(), 1)", id],
    [
      "insert into second_factors (user_id, id, sealed_secret, created_at) values ($1, gen_random_uuid(), 'sealed', now())",
      id,
    ],
    ["insert into recovery_codes values ($1, $2, now())", id, `hash-${mark}`],
    [
      "insert into email_changes values (gen_random_uuid(), $1, $2, now(), now() + interval '7 days')",
      id,
      `${mark}@old.example.com`,
    ],
    [
      "insert into queue_entries (id, kind, payload, correlation_id) values (gen_random_uuid(), 'mail', jsonb_build_object('template', 'x', 'codeId', 'id', 'to', jsonb_build_object('email', $1::text)), 'c')",
      person.email,
    ],
    ["insert into idempotency_keys values ($1, $2, 'h', 'r', now())", id, `key-${mark}`],
    [
      "insert into operator_tokens values ($1, $2, 'hash', '{}', $3, now(), now())",
      mark.slice(0, 20),
      mark,
      id,
    ],
    [
      "insert into blocks values (gen_random_uuid(), 'user', 'user:' || $1::text, 'r', 'o', now(), now())",
      id,
    ],
    [
      "insert into flags (name, kind, enabled, users, updated_by, updated_at) values ($1, 'feature', true, array[$2::text, 'another'], 'o', now())",
      `flag_${mark.slice(5, 13)}`,
      id,
    ],
    [
      "insert into audit_log (actor_kind, actor_id, action, subject_id, correlation_id, ip_prefix) values ('operator', 'another', 'user.updated', $1, 'c', '198.51.100.0/24')",
      id,
    ],
    [
      "insert into audit_log (actor_kind, actor_id, action, subject_id, correlation_id, ip_prefix) values ('user', $1, 'user.updated', $1, 'c', '192.0.2.0/24')",
      id,
    ],
    [
      `insert into restore_drills (id, started_at, started_by, target_at, step, step_started_at, held_until,
         copy_name, expected, finished_at)
       values (gen_random_uuid(), now(), $1, now(), 's', now(), now(), 'c', '{}', now())`,
      id,
    ],
    ["insert into incidents values (gen_random_uuid(), 'a test', 'P3', now(), $1)", id],
    [
      "insert into incident_notes select gen_random_uuid(), id, now(), $1, 'a note' from incidents where opened_by = $1",
      id,
    ],
  ];
  for (const [text, ...params] of rows) await stores.sql(text, ...params);
  const known = await findPerson(aContext(), id);
  if (!known) throw new Error("The account was not found.");
  const [addressHash = ""] = known.addressHashes;
  const [userHash = ""] = known.userHashes;
  const [limitKey = "", resetKey = ""] = known.limitKeys;
  const exports = known.counterKeys.find((key) => key.startsWith("rate:exports:user:")) ?? "";
  for (const subject of known.codeSubjects) {
    await stores.sql(
      `insert into mail_codes (purpose, subject, id, email, created_at, expires_at)
       values ('sign_in', $1, gen_random_uuid(), $2, now(), now())`,
      subject,
      person.email,
    );
  }
  await stores.sql(
    `insert into mail_codes (purpose, subject, id, email, device_id, created_at, expires_at)
     values ('reset_password', gen_random_uuid(), gen_random_uuid(), $1, $2, now(), now())`,
    person.email,
    mark,
  );
  await stores.sql("insert into rate_limits values ($1, 1, 4102444800000)", exports);
  const events: [userId: string | null, data: object][] = [
    [id, { account: mark }],
    [null, { account: limitKey, accountId: id }],
    [id, { account: limitKey, accountId: id }],
    [anotherId, { account: limitKey, accountId: id }],
    [null, { account: resetKey }],
    [null, { account: userHash, count: 400 }],
    [null, { account: id, operation: "gdpr" }],
  ];
  for (const [userId, data] of events) {
    await stores.sql(
      `insert into security_events (at, event, count, user_id, ip, correlation_id, data)
       values (now(), 'e', 1, $1, '203.0.113.9', 'c', $2)`,
      userId,
      JSON.stringify(data),
    );
  }
  await stores.sql(
    "insert into mail_budgets values ($1, array[now()], now()) on conflict do nothing",
    addressHash,
  );
  await stores.sql(
    "insert into suppressed_addresses values ($1, 'complained', now())",
    addressHash,
  );
  await stores.sql("insert into webhook_events values ('mail_delivered', $1, now())", addressHash);
  await stores.sql(
    "insert into login_delays values ('rate:account:account:' || $1::text, 5, 0, 4102444800000, gen_random_uuid())",
    limitKey,
  );
  await stores.sql(
    `insert into access_log (at, count, one_in, route, method, status, duration_ms, user_hash, release)
     values (now(), 1, 1, '/api/user', 'GET', 200, 1, $1, $2)`,
    userHash,
    env().release.sha,
  );
  await stores.sql("insert into unusual_usage values ($1, now(), 400)", userHash);
  return { ...person, guestId, mark };
}
