import { randomBytes, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import confirmChange from "../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../api/auth/change-email/index.js";
import undo from "../../../api/auth/change-email/undo.js";
import changePassword from "../../../api/auth/change-password.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import recoveryCodes from "../../../api/auth/recovery-codes.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import resetPassword from "../../../api/auth/reset-password.js";
import totp from "../../../api/auth/totp/index.js";
import cleanup from "../../../api/cron/cleanup.js";
import tick from "../../../api/cron/tick.js";
import findRoute from "../../../api/ops/find.js";
import audit from "../../../api/user/audit.js";
import user from "../../../api/user/index.js";
import preferences from "../../../api/user/preferences.js";
import sessionRoute from "../../../api/user/sessions/[sessionId].js";
import sessions from "../../../api/user/sessions/index.js";
import { contentId } from "../../../dev/content/ids.js";
import { env } from "../../../lib/env.js";
import { undoToken } from "../../../lib/mail/undo-token.js";
import { catalogue } from "../../../lib/privacy/catalogue.js";
import { abandon, complete, progress, solve, start } from "../../support/attempts.js";
import { call } from "../../support/call.js";
import { lessonId, publishCourse } from "../../support/course.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useMailbox } from "../../support/mailbox.js";
import { aConfirmedUser, mailedCode } from "../../support/mailed-codes.js";
import { anOperator } from "../../support/operators.js";
import { aGuest, anAddress, aUser, earn, password } from "../../support/people.js";
import { enrol, freshToken } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";
import { boundedTables } from "../../support/whole-reads.js";

const stores = useStores();
useMailbox();
useEnvironment();

const rows = 20_000;
/** Fills each table so that a sequential scan is never the cheapest plan. */
const filled: Record<string, string> = {
  users:
    "(id, name, email, claimed_email) select gen_random_uuid(), 'x', 'b' || n || '@x.test', 'c' || n || '@x.test'",
  sessions: `(id, user_id, device_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at)
    select 's' || row_number() over (), id, 'device', '{pwd}', now(), now(), now(), now() from users, (select 1 as n) one`,
  mail_codes: `(purpose, subject, id, user_id, email, created_at, expires_at)
    select 'sign_in', n, gen_random_uuid(), null, 'x', now(), now() + interval '1 day'`,
  mail_budgets: "select 'a' || n, array[now()], now()",
  queue_entries: `(id, kind, key, payload, correlation_id, created_at, expires_at, run_after)
    select gen_random_uuid(), case when n % 2 = 0 then 'mail' else 'job' end,
      case when n % 2 = 1 then 'k' || n end, '{}', 'c', now(), now() + interval '1 day', now() + interval '1 day'`,
  suppressed_addresses: "select 'a' || n, 'bounced', now()",
  learners: "(user_id, revision, total_xp) select id, 1, 1 from users, (select 1 as n) one",
  attempts: `(user_id, id, lesson_id, course_id, version, state, seed, started_at, received_at, revision)
    select id, id, id, id, 1, 'started', 1, now(), now(), 1 from users, (select 1 as n) one`,
  attempt_answers: `(user_id, attempt_id, id, exercise_id, try_number, answer, verdict, rules, grader_version,
      answered_at, received_at)
    select id, id, id, id, 1, '{}', 'wrong', '{}', 1, now(), now() from users, (select 1 as n) one`,
  lesson_progress: `(user_id, lesson_id, course_id, state, completions, first_completed_at, revision)
    select id, id, id, 'completed', 1, now(), 1 from users, (select 1 as n) one`,
  xp_entries: `(user_id, kind, fact, xp, local_date, earned_at, revision)
    select id, 'test', 'fact', 1, current_date, now(), 1 from users, (select 1 as n) one`,
  idempotency_keys: "select 's', 'k' || n, 'h', 'r', now()",
  audit_log:
    "(at, actor_kind, actor_id, action, subject_id, correlation_id) select now() - n * interval '1 minute', 'user', 'u' || n, 'a', 'u' || n, 'c'",
  security_events: `(at, event, count, user_id, ip, correlation_id, data) select now() - n * interval '1 minute', 'e', 1, gen_random_uuid(),
      'i' || n, 'c' || n, jsonb_build_object('account', 'a' || n)`,
  email_changes: `(id, user_id, old_email, created_at, expires_at)
    select gen_random_uuid(), id, 'x', now(), now() + interval '7 days' from users, (select 1 as n) one`,
  rate_limits: "select 'r' || n, 1, (date_part('epoch', now()) + 60) * 1000",
  login_delays: "select 'd' || n, 1, 0, (date_part('epoch', now()) + 60) * 1000, gen_random_uuid()",
  webhook_events: "select 'mail', n, now()",
  cron_runs: "select 'tick', now() - n * interval '1 minute', n, now()",
};

beforeAll(async () => {
  for (const [table, values] of Object.entries(filled)) {
    const from = values.includes(" from ") ? "" : ` from generate_series(1, ${rows}) n`;
    await stores.sql(`insert into ${table} ${values}${from}`);
    await stores.sql(`analyze ${table}`);
  }
}, 120_000);

const post = (route: Parameters<typeof call>[0], body: unknown, token?: string) =>
  call(route, "POST", {
    body,
    ip: anAddress(),
    ...(token === undefined ? {} : { token }),
    headers: { "idempotency-key": randomBytes(16).toString("base64url") },
  });

/** Tables that grow and need not be filled: their statements are checked over real stores only (tests/support/whole-reads.ts). */
const unfilled = [
  ...["access_log", "alert_samples", "alert_transitions", "audit_seals", "backup_canaries"],
  ...["consents", "drained_batches", "preferences", "recovery_codes", "retention_removals"],
  ...["second_factors", "telemetry_minutes", "unusual_usage"],
];

/** The usual requests of users, an operator's lookups, and the cron jobs. */
async function sendUsualRequests(): Promise<void> {
  const [guest, claimer] = [await aGuest(), await aUser()];
  await earn(stores, guest, 5);
  const person = await aConfirmedUser(stores);
  const { email, accessToken: token } = person;
  const credentials = { email, password, device: { id: person.deviceId } };
  const merged = await post(login, credentials, guest.accessToken);
  const again = { "idempotency-key": randomBytes(16).toString("base64url") };
  for (const _ of [1, 2]) await call(login, "POST", { body: credentials, headers: again });
  await post(login, { email: claimer.email, password: "wrong password" });
  await post(login, { email: "nobody@x.test", password: "wrong password", otp: "AAAAAAAA" });
  await post(register, { email, password, name: "Ada", acceptedTerms: true });
  const { refreshToken } = merged.body;
  const next = await post(refresh, { refreshToken });
  await post(refresh, { refreshToken: next.body.refreshToken });
  await post(refresh, { refreshToken });
  await stores.redis("DEL", `session:${claimer.sessionId}`);
  await call(user, "GET", { token: claimer.accessToken });

  await call(user, "PATCH", { token, body: { name: "Grace", timeZone: "Europe/Madrid" } });
  const { headers, body: profile } = await call(preferences, "GET", { token });
  const ifMatch = { "if-match": headers.get("etag") ?? "" };
  await call(preferences, "PUT", { token, body: profile, headers: ifMatch });
  await call(audit, "GET", { token });
  await call(sessions, "GET", { token });
  await post(changePassword, { currentPassword: password, newPassword: "another battery" }, token);

  const moved = `moved-${randomUUID()}@x.test`;
  await post(changeEmail, { email: moved }, token);
  await post(confirmChange, { code: await mailedCode(stores, "change_email", moved) }, token);
  const [change] = await stores.sql("select id from email_changes");
  await post(undo, { token: undoToken(env(), change?.id ?? "") });
  await post(forgotPassword, { email });
  const code = await mailedCode(stores, "reset_password", email);
  await post(resetPassword, { email, code, password: "a third battery" });

  const course = lessonId("hello");
  const solver = await aUser();
  const attemptId = await solve(solver, course);
  for (const _ of [1, 2]) await complete(solver, attemptId);
  const { attempt } = (await start(solver, course)).body;
  await abandon(solver, attempt.id);
  await progress(solver);
  await progress(solver, contentId("it-en"));

  const learner = await aUser();
  const app = await enrol(stores, learner);
  const fresh = await freshToken(learner, app.code());
  await post(recoveryCodes, {}, fresh);
  await post(login, { email: learner.email, password, otp: app.recoveryCodes[0] });
  await call(totp, "DELETE", { token: fresh });
  const other = await post(login, { email: learner.email, password });
  const url = `http://localhost:8080/api/user/sessions/${other.body.sessionId}`;
  await call(sessionRoute, "DELETE", { token: fresh, url });
  await call(sessions, "DELETE", { token: fresh });
  await call(logout, "POST", { token: fresh });
  const operator = await anOperator(stores);
  const asOperator = { token: operator.token, ip: anAddress() };
  for (const q of [email, anAddress(), claimer.user.id, claimer.sessionId, randomUUID()]) {
    const { status } = await call(findRoute, "POST", { ...asOperator, body: { q } });
    expect(status).toBe(200);
  }
  setEnvironment({ CRON_SECRET: "the-clock-s-own-secret" });
  for (const cron of [tick, cleanup]) {
    const token = "the-clock-s-own-secret";
    expect(await call(cron, "GET", { token })).toMatchObject({ status: 200, body: { ran: true } });
  }
  await stores.settled();
}

interface Sent {
  query: string;
  params: (string | null)[];
}

describe("the statements of everyday use", () => {
  it("use an index instead of reading a whole table", async () => {
    await publishCourse();
    await stores.resetCalls();
    await sendUsualRequests();
    const sent = stores.faults.postgres.calls.flatMap(({ body }) =>
      "queries" in (body as object) ? (body as { queries: Sent[] }).queries : [body as Sent],
    );
    const distinct = new Map(sent.map((statement) => [statement.query, statement]));
    expect(distinct.size).toBeGreaterThan(60);
    const slow: string[] = [];
    const byAccount: string[] = [];
    const touched = new Set<string>();
    for (const { query, params } of distinct.values()) {
      const plan = await stores.sql(`explain ${query}`, ...params);
      const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
      if (query.includes("->> 'account' = ")) byAccount.push(text);
      for (const [, name = ""] of text.matchAll(/ on (\w+)/g)) touched.add(name);
      const whole = [...text.matchAll(/Seq Scan on (\w+)/g)].map(([, table = ""]) => table);
      const large = whole.filter((table) => table in filled);
      if (large.length > 0) slow.push(`${large}: ${query.replace(/\s+/g, " ").slice(0, 200)}`);
    }
    expect(slow).toEqual([]);
    const known = [...Object.keys({ ...filled, ...boundedTables }), ...unfilled];
    expect(
      [...touched].filter((name) => name in catalogue && !known.includes(name)),
      "tables that need a line in `filled`, in `unfilled`, or in boundedTables of tests/support/whole-reads.ts",
    ).toEqual([]);
    // Not all events in the order of time either.
    expect(byAccount).not.toEqual([]);
    for (const plan of byAccount) expect(plan).toContain("security_events_account_idx");
  }, 120_000);
});
