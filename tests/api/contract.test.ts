import { randomBytes, randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import confirmEmail from "../../api/auth/change-email/confirm.js";
import changeEmail from "../../api/auth/change-email/index.js";
import forgotPassword from "../../api/auth/forgot-password.js";
import totp from "../../api/auth/totp/index.js";
import resend from "../../api/auth/verify-email/resend.js";
import blocks from "../../api/ops/blocks/index.js";
import incidents from "../../api/ops/incidents/index.js";
import operatorTokens from "../../api/ops/operator-tokens/index.js";
import user from "../../api/user/index.js";
import { contentId } from "../../dev/content/ids.js";
import { courseFolders, readCourse } from "../../dev/content/read-course.js";
import { seedCourses } from "../../dev/content/seed-courses.js";
import { isOperators, type Operation, operationsOfApi } from "../../dev/docs/openapi/routes.js";
import { type NeonEndpoint, startNeonEndpoint } from "../../dev/neon/neon-endpoint.js";
import { startToolkitEndpoint, type ToolkitEndpoint } from "../../dev/toolkit/toolkit-endpoint.js";
import { env } from "../../lib/env.js";
import { contractOf } from "../../lib/http/reply.js";
import { undoToken } from "../../lib/mail/undo-token.js";
import {
  type DocumentedOperation,
  documentedOperations,
  expectDocumented,
  expectValid,
} from "../support/api-document.js";
import { solve, start } from "../support/attempts.js";
import { call } from "../support/call.js";
import { aContext } from "../support/context.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";
import { mailedCode } from "../support/mailed-codes.js";
import { neonEnvironment, noDatabases } from "../support/neon.js";
import { anOperator, type OperatorPerson, operate } from "../support/operators.js";
import { aBoundUser, anAddress, aUser, type Person, password } from "../support/people.js";
import { multipart, wav } from "../support/recordings.js";
import { authenticator, enrol, freshToken } from "../support/second-factor.js";
import { useStores } from "../support/stores.js";
import { projectId, signedByVercel } from "../support/vercel-events.js";

const secrets = {
  VERCEL_WEBHOOK_SECRET: "the-vercel-webhook-secret-of-the-tests",
  VERCEL_PROJECT_ID: projectId,
  CRON_SECRET: "the-clock-secret-of-the-contract-tests",
  METRICS_TOKEN: "the-metrics-token-of-the-contract-tests",
  MAIL_WEBHOOK_SECRET: `whsec_${randomBytes(24).toString("base64")}`,
};
useEnvironment(secrets);
const stores = useStores();
const courseId = contentId("es-en");
const lessonId = contentId("es-en", "lesson", "hello-and-goodbye");
const spanishFolder = courseFolders().find((path) => path.endsWith("/es-en")) ?? "";

const operations = await operationsOfApi();
const documents = [
  { path: "docs/openapi.json", operations: operations.filter((one) => !isOperators(one)) },
  { path: "docs/openapi-operators.json", operations: operations.filter(isOperators) },
];

/** What a request needs besides the document's example. */
interface Sent {
  token?: string;
  params?: Record<string, string>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Fields in place of the example's. */
  fields?: Record<string, unknown>;
  body?: Uint8Array | string;
}

let ada: Person;
let admin: OperatorPerson;
let toolkit: ToolkitEndpoint;
let neon: NeonEndpoint;

beforeAll(async () => {
  toolkit = await startToolkitEndpoint("tk_test");
  neon = await startNeonEndpoint(noDatabases);
  setEnvironment(secrets);
  await seedCourses(aContext().db.$client);
  ada = await aBoundUser(stores, { email: "ada@example.com" });
  admin = await anOperator(stores, "admin");
});
afterAll(() => Promise.all([toolkit.close(), neon.close()]));
beforeEach(async () => {
  setEnvironment({
    ...secrets,
    ...neonEnvironment(neon),
    EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
    TOOLKIT_API_KEY: "tk_test",
  });
  await stores.liftLimits();
});

const needsPerson = async (prepare: (person: Person) => Promise<Sent> | Sent): Promise<Sent> => {
  const person = await aBoundUser(stores);
  return { token: person.accessToken, ...(await prepare(person)) };
};

async function startedChange({ accessToken: token }: Person) {
  const email = `new-${randomUUID()}@example.com`;
  await call(changeEmail, "POST", { token, body: { email } });
  return mailedCode(stores, "change_email", email);
}

const withSecondFactor = () =>
  needsPerson(async (person) => {
    const app = await enrol(stores, person);
    return { token: await freshToken(person, app.code()) };
  });

async function anIncident(): Promise<Sent> {
  const body = { title: "A test", severity: "P3" };
  const opened = await operate(incidents, "POST", admin.token, body);
  return { params: { incidentId: opened.body.detail.id } };
}

/** The state that an operation needs, in addition to the caller. */
const prepared: Record<string, (example: unknown) => Promise<Sent> | Sent> = {
  "POST /api/auth/reset-password": () =>
    needsPerson(async ({ email, deviceId }) => {
      await call(forgotPassword, "POST", { body: { email, device: { id: deviceId } } });
      const code = await mailedCode(stores, "reset_password", email);
      return { fields: { email, code, device: { id: deviceId } } };
    }),
  "POST /api/auth/refresh": () => needsPerson(({ refreshToken }) => ({ fields: { refreshToken } })),
  "POST /api/auth/totp": () => needsPerson(() => ({})),
  "POST /api/auth/totp/confirm": () =>
    needsPerson(async ({ accessToken: token }) => {
      const { body } = await call(totp, "POST", { token });
      return { fields: { code: authenticator(body.secret).code() } };
    }),
  "DELETE /api/auth/totp": withSecondFactor,
  "POST /api/auth/recovery-codes": withSecondFactor,
  "POST /api/auth/verify-email": async () => {
    const { accessToken: token, user } = await aUser();
    await call(resend, "POST", { token });
    return { token, fields: { code: await mailedCode(stores, "verify_email", user.id) } };
  },
  "POST /api/auth/change-email/confirm": () =>
    needsPerson(async (person) => ({ fields: { code: await startedChange(person) } })),
  "POST /api/auth/change-email/undo": () =>
    needsPerson(async (person) => {
      const body = { code: await startedChange(person) };
      await call(confirmEmail, "POST", { token: person.accessToken, body });
      const [change] = await stores.sql(
        "select id from email_changes where user_id = $1",
        person.user.id,
      );
      return { fields: { token: undoToken(env(), change?.id ?? "") } };
    }),
  "POST /api/auth/cancel-deletion": () =>
    needsPerson(async ({ accessToken: token }) => {
      const { body } = await call(user, "DELETE", { token });
      return { fields: { cancelToken: body.cancelToken } };
    }),
  "DELETE /api/user": () => needsPerson(() => ({ fields: { otp: undefined, password } })),
  "POST /api/ops/deletions": async () => ({ fields: { user: (await aUser()).user.id } }),
  "POST /api/ops/deletions/find": async () => ({ fields: { user: (await aUser()).user.id } }),
  "POST /api/ops/deletions/cancellations": async () => ({
    fields: { user: (await aUser()).user.id },
  }),
  "POST /api/ops/exports": async () => ({ fields: { user: (await aUser()).user.id } }),
  "POST /api/ops/restore/finish": async () => ({ fields: { erasures: [randomUUID()] } }),
  "DELETE /api/user/sessions/{sessionId}": () =>
    needsPerson(({ sessionId }) => ({ params: { sessionId } })),
  "PUT /api/user/preferences": () => needsPerson(() => ({ headers: { "if-match": "*" } })),
  "POST /api/stt/transcribe": () =>
    needsPerson(async () => multipart(wav(1), { language: "es", alternatives: "2" })),
  "POST /api/webhooks/mail": (example) => {
    const id = `msg_${randomUUID()}`;
    const at = new Date();
    const signature = new Webhook(secrets.MAIL_WEBHOOK_SECRET).sign(
      id,
      at,
      JSON.stringify(example),
    );
    const timestamp = String(Math.floor(at.getTime() / 1000));
    return {
      headers: { "svix-id": id, "svix-timestamp": timestamp, "svix-signature": signature },
    };
  },
  "GET /api/courses/{courseId}": () => ({ params: { courseId } }),
  "GET /api/lessons/{lessonId}": () => ({ params: { lessonId } }),
  "POST /api/lessons/{lessonId}/attempts": () => needsPerson(() => ({ params: { lessonId } })),
  "POST /api/attempts/{attemptId}/answers": () =>
    needsPerson(async (person) => {
      const { attempt, exercises } = (await start(person, lessonId)).body;
      const typing = exercises.find(({ type }: { type: string }) => type === "typing");
      return { params: { attemptId: attempt.id }, fields: { exerciseId: typing.id } };
    }),
  "POST /api/attempts/{attemptId}/complete": () =>
    needsPerson(async (person) => {
      const attemptId = await solve(person, lessonId, readCourse(spanishFolder));
      return { params: { attemptId } };
    }),
  "POST /api/attempts/{attemptId}/abandon": () =>
    needsPerson(async (person) => {
      const { attempt } = (await start(person, lessonId)).body;
      return { params: { attemptId: attempt.id } };
    }),
  "GET /api/learn/{targetLanguage}": () => ({ query: { native: "en" } }),
  "PUT /api/ops/courses/{courseId}": () => ({ params: { courseId } }),
  "POST /api/webhooks/vercel": (example) => ({
    headers: signedByVercel(example, secrets.VERCEL_WEBHOOK_SECRET).headers,
  }),
  "POST /api/ops/flags/{name}/removal": async () => {
    const name = "old-cards";
    await stores.sql(
      `insert into flags (name, kind, enabled, updated_by, updated_at)
        values ($1, 'feature', true, 'x', now()) on conflict do nothing`,
      name,
    );
    return { params: { name } };
  },
  "POST /api/ops/blocks/{blockId}/lift": async () => {
    const body = { kind: "ip", value: "203.0.113.9", ttlSeconds: 60 };
    const blocked = await operate(blocks, "POST", admin.token, body);
    return { params: { blockId: blocked.body.detail.id } };
  },
  "GET /api/ops/incidents/{incidentId}": anIncident,
  "POST /api/ops/incidents/{incidentId}/notes": anIncident,
  "POST /api/ops/incidents/{incidentId}/closure": anIncident,
  "POST /api/ops/jobs/{jobId}/retries": async () => {
    const jobId = randomUUID();
    await stores.sql(
      `insert into queue_entries (id, kind, key, payload, correlation_id, attempts, dead_at, last_error)
        values ($1, 'test', 'a-key', '{}', 'a-test', 8, now(), 'failed')`,
      jobId,
    );
    return { params: { jobId } };
  },
  "POST /api/ops/operator-tokens/revocations": async () => {
    const name = `robot-${randomUUID()}`;
    const body = { name, scopes: ["flag:read"], ttlSeconds: 60 };
    await operate(operatorTokens, "POST", admin.token, body);
    return { fields: { token: name } };
  },
  "POST /api/ops/revocations": async () => ({ fields: { session: (await aUser()).sessionId } }),
  "GET /api/ops/sessions": () => ({ query: { user: ada.user.id } }),
  "GET /api/ops/sessions/{sessionId}": () => ({ params: { sessionId: ada.sessionId } }),
  "POST /api/ops/sign-ins": async () => {
    const { email, app } = await anOperator(stores);
    return { fields: { email, otp: app.code() } };
  },
  "POST /api/ops/sign-ins/refreshes": async () => {
    const { refreshToken } = await anOperator(stores);
    return { fields: { refreshToken } };
  },
  "POST /api/ops/sign-ins/confirmations": async () => {
    const { app, token } = await anOperator(stores);
    return { token, fields: { otp: app.code() } };
  },
  "PUT /api/ops/users/suspension": async () => ({ fields: { user: (await aUser()).user.id } }),
};

async function tokenFor({ endpoint: { auth } }: Operation): Promise<string | undefined> {
  if (auth === "user" || auth === "token") return (await aUser()).accessToken;
  if (auth === "operator") return admin.token;
  if (auth === "cron") return secrets.CRON_SECRET;
  return auth === "metrics" ? secrets.METRICS_TOKEN : undefined;
}

const aCall = async (operation: Operation, { example }: Documented): Promise<Sent> =>
  ({
    token: await tokenFor(operation),
    ...(await prepared[operation.name]?.(example)),
  }) as Sent;

async function send({ route, method, path }: Operation, described: Documented, sent: Sent) {
  const { example } = described;
  const params = { ...described.params, ...sent.params };
  const { token, query = {}, headers = {}, fields, body } = sent;
  const url = path.replace(/\{(\w+)\}/g, (_, name) => params[name] ?? "");
  const content = body ?? (example && JSON.stringify({ ...example, ...fields }));
  const request = new Request(`http://localhost:8080${url}?${new URLSearchParams(query)}`, {
    method,
    headers: {
      "x-vercel-forwarded-for": anAddress(),
      ...(content === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
  });
  return route.fetch(request);
}
type Documented = DocumentedOperation;

/** Reads of users that need more than one call of Postgres, with the reason. */
const readsMore: Record<string, string> = { "GET /api/user/export": "pages of each table" };

/** A request that the operation refuses in any state. */
function refused({ endpoint: { auth, body } }: Operation): Sent {
  if (auth === "optional") return { token: "no-token" };
  if (auth !== "anonymous") return {};
  return body ? { fields: { unknown: true } } : { headers: { "x-app-version": "0.0.1" } };
}

describe.each(documents)("$path", ({ path, operations }) => {
  const documented = documentedOperations(path);
  const named = (name: string) => documented.filter((one) => one.name === name);
  const titled = operations.map((operation) => [operation.name, operation] as const);

  it("contains each method of its routes once, and nothing else", () => {
    expect(documented.map(({ name }) => name).sort()).toEqual(
      operations.map(({ name }) => name).sort(),
    );
  });

  it("has a name for each schema that several operations use", () => {
    const used = operations.flatMap(({ endpoint: { body, replies } }) => [
      ...(body ? [body] : []),
      ...Object.values(replies).flatMap((reply) => contractOf(reply).body ?? []),
    ]);
    const again = used.filter((schema, index) => used.indexOf(schema) < index);
    expect(again.filter((schema) => schema.meta()?.id === undefined)).toEqual([]);
  });

  it("gives each operation a unique ID", () => {
    const ids = Object.values(documented[0]?.document.paths as object).flatMap((methods) =>
      Object.values(methods as Record<string, { operationId: string }>).map(
        ({ operationId }) => operationId,
      ),
    );
    expect(new Set(ids).size).toBe(operations.length);
  });

  it("has a valid example of each problem", () => {
    const { document } = documented[0] as Documented;
    const schema = { $ref: "#/components/schemas/Problem" };
    for (const [code, { value }] of Object.entries<{ value: unknown }>(
      document.components.examples,
    )) {
      expectValid(document, schema, value, code);
    }
  });

  it.each(titled)("%s answers the request example as documented", async (_, operation) => {
    const [described] = named(operation.name) as [Documented];
    const reply = await send(operation, described, await aCall(operation, described));
    expect(reply.status, `${operation.name}: ${await reply.clone().text()}`).toBeLessThan(300);
    await expectDocumented(described, reply);
  });

  const budgeted = titled.filter(
    ([, one]) => one.method === "GET" && one.endpoint.limits.length > 0 && !isOperators(one),
  );
  it.each(budgeted)("%s keeps to its calls of the stores", async (name, operation) => {
    const [described] = named(operation.name) as [Documented];
    const sent = await aCall(operation, described);
    await stores.resetCalls();
    await (await send(operation, described, sent)).text();
    const { redisTrips, postgresCalls } = stores.calls();
    expect(redisTrips).toBe(1);
    if (!(name in readsMore)) expect(postgresCalls).toBeLessThanOrEqual(1);
  });

  const keyed = titled.filter(([, { endpoint }]) => endpoint.replay);
  it.each(keyed)("%s answers a repetition with its Idempotency-Key", async (_, operation) => {
    const [described] = named(operation.name) as [Documented];
    const { headers, ...sent } = await aCall(operation, described);
    const key = { "idempotency-key": randomUUID() };
    const attempt = () => send(operation, described, { ...sent, headers: { ...headers, ...key } });
    const [first, again] = [await attempt(), await attempt()];
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    const why = "The key is not stored: the handler must write by writeOnce (lib/db/write-once.ts)";
    expect(again.headers.get("idempotent-replayed"), why).toBe("true");
    expect(again.status).toBe(first.status);
    await expectDocumented(described, again);
  });

  it.each(titled)("%s refuses a caller as documented", async (_, operation) => {
    const [described] = named(operation.name) as [Documented];
    setEnvironment({ ...secrets, MIN_APP_VERSION: "1.0.0" });
    const reply = await send(operation, described, refused(operation));
    const { auth, body } = operation.endpoint;
    expect(reply.status).toBe(auth !== "anonymous" ? 401 : body ? 422 : 426);
    await expectDocumented(described, reply);
  });
});
