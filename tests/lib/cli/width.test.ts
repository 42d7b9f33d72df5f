import stringWidth from "string-width";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import type { Api } from "../../../lib/cli/api.js";
import type { Command } from "../../../lib/cli/command.js";
import { commandOf } from "../../../lib/cli/command-line.js";
import { commands } from "../../../lib/cli/commands.js";
import { readReply } from "../../../lib/cli/read-reply.js";
import type { Result } from "../../../lib/cli/result.js";
import type { SignIn } from "../../../lib/cli/sign-in.js";
import type { Terminal } from "../../../lib/cli/terminal.js";
import { retentionClasses } from "../../../lib/schedule/retention/classes.js";

const id = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const at = "2026-01-31T08:00:00.123Z";

const block = {
  id,
  kind: "user",
  value: `user:${id}`,
  reason: "guesses passwords",
  createdBy: id,
  createdAt: at,
  expiresAt: at,
};
const audit = {
  at,
  action: "operator_token.created",
  subjectId: id,
  reason: "for the pipeline",
  correlationId: id,
};
const request = {
  at,
  count: 1,
  oneIn: 1,
  correlationId: id,
  route: "/api/auth/change-email/confirm",
  method: "POST",
  status: 401,
  code: "operator_token_ended",
  durationMs: 12,
  userHash: null,
  ipPrefix: "2001:db8:1:2::/64",
  limits: null,
  externalCalls: null,
  tokenFailure: null,
  securityEvents: null,
  appVersion: null,
  release: "a1b2c3d",
};

/** What a command prints for this response. */
async function printed(name: string, answer: object, options = {}): Promise<string> {
  const command = commandOf([...name.split(" ")]);
  const api = { get: async () => answer, look: async () => answer } as unknown as Api;
  const output = await command?.run({
    args: ["x"],
    options,
    api,
    signIn: {} as SignIn,
    terminal: {} as Terminal,
  });
  return output?.text ?? "";
}

describe("in a terminal of 80 columns", () => {
  it.each([
    [
      "audit",
      {
        items: [
          { ...audit, id: 1234567, actorKind: "operator", actorId: id, ipPrefix: "203.0.113.0/24" },
        ],
        nextCursor: null,
      },
    ],
    ["block list", { items: [block] }],
    [
      "find",
      {
        lookedUpAs: ["userId", "correlationId"],
        eventsUntil: at,
        mailSuppression: { addressHash: "x".repeat(22), reason: "complained", since: at },
        mailBudgets: [{ budget: "reset mails per hour", used: 10, max: 10, fullUntil: at }],
        cut: ["securityEvents", "audit"],
        accounts: [
          {
            id,
            email: "l***@a-long-name.example.com",
            emailConfirmed: false,
            role: "operator",
            state: "deletion_pending",
            secondFactor: true,
            createdAt: at,
            liveSessions: 3,
          },
        ],
        blocks: [block],
        securityEvents: [
          {
            at,
            event: "privilege_escalation_attempt",
            count: 1,
            userId: id,
            ip: "203.0.113.200",
            route: "/api/auth/login",
            accountId: id,
            correlationId: id,
            data: { reason: "a" },
          },
        ],
        audit: [{ ...audit, actor: `operator ${id}` }],
        requests: [request],
      },
    ],
    [
      "retention show",
      {
        beyondMax: 50_000,
        classes: retentionClasses.map(({ name, removal }) => ({
          name,
          holds: "x",
          keptHours: 8760,
          since: "its end",
          setBy: null,
          removal,
          oldestAt: at,
          beyond: 50_000,
          isOverdue: true,
          lastRemovalAt: at,
        })),
      },
    ],
    [
      "db status",
      {
        version: "15.20 (Debian 15.20-0+deb12u1)",
        megabytes: 123_456,
        isReadOnly: true,
        statementTimeoutMs: 10_000,
        transactionAge: 1_900_000_000,
        connectionsMax: 100,
        connections: [{ state: "idle in transaction", count: 99 }],
        longest: [
          {
            kind: "transaction",
            pid: 123_456,
            seconds: 12_345.6,
            state: "idle in transaction",
            statement: `select ${"x ".repeat(90)}`,
          },
        ],
        lockWaits: [
          {
            pid: 123_456,
            seconds: 12.3,
            blockedBy: [1, 2],
            statement: `select ${"x ".repeat(90)}`,
          },
        ],
        replicas: [{ name: "a-replica", lagSeconds: 0.3 }],
        tables: [{ name: "suppressed_addresses", megabytes: 1.5, rowsAbout: 1_000_000_000 }],
        bloated: [{ name: "suppressed_addresses", deadRows: 123_456_789, vacuumedAt: null }],
      },
    ],
  ])("%s prints no line that wraps, and every ID", async (name, answer) => {
    const text = await printed(name, answer);
    for (const line of text.split("\n")) expect(stringWidth(line), line).toBeLessThanOrEqual(80);
    const ids = JSON.stringify(answer).split(id).length;
    expect(text.split(id).length).toBe(ids);
  });
});

/** Long, realistic values by the name of their field; ISO times and URLs by their format. */
const strings: [name: RegExp, value: string][] = [
  [/e-?mail/i, "marie-therese.von-und-zu-lichtenstein@department.subsidiary.example.com"],
  [/ip|address/i, "2001:0db8:85a3:0000:0000:8a2e:0370:7334/128"],
  [/runbook|url/i, `https://git.example.com/${"linguamate-backend/".repeat(5)}runbook.md`],
  [/at$|until$|since|time/i, at],
  [
    /detail|reason|output|error|title|query|covers/i,
    "「電話番号」が変更されました, and ".repeat(7),
  ],
  [/name|device/i, "小林さんの電話 📱 of Ünïcødé Kobayashi-Fitzgerald, the second"],
  [/route/i, "/api/user/subscriptions/:subscriptionId/invoices/:invoiceId/lines"],
  [/./, id],
];

/** A reply in the form of a schema, with long values everywhere. */
function longest(schema: z.core.$ZodType, name = ""): unknown {
  if (schema instanceof z.ZodObject) {
    return Object.fromEntries(
      Object.entries(schema.shape).map(([key, field]) => [key, longest(field, key)]),
    );
  }
  if (schema instanceof z.ZodArray) return [1, 2].map(() => longest(schema.element, name));
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) {
    return longest(schema.unwrap(), name);
  }
  if (schema instanceof z.ZodTuple) return schema.def.items.map((item) => longest(item, name));
  if (schema instanceof z.ZodRecord) return { [id]: longest(schema.valueType, name) };
  if (schema instanceof z.ZodUnion) return longest(schema.options[0] as z.ZodType, name);
  if (schema instanceof z.ZodEnum) {
    return schema.options.toSorted((a, b) => String(b).length - String(a).length)[0];
  }
  if (schema instanceof z.ZodLiteral) return schema.value;
  if (schema instanceof z.ZodBoolean) return true;
  if (schema instanceof z.ZodNumber) return 123_456_789;
  if (schema instanceof z.ZodISODateTime) return at;
  if (schema instanceof z.ZodUUID) return id;
  return strings.find(([pattern]) => pattern.test(name))?.[1];
}

/** The reply of a newer release: more fields and other values. */
function newer(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) {
    return newer(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodArray) {
    return (value as unknown[]).map((item) => newer(schema.element, item));
  }
  if (schema instanceof z.ZodEnum) return "a-new-value";
  if (!(schema instanceof z.ZodObject)) return value;
  const fields = Object.entries(value as object).map(([key, field]) => [
    key,
    newer(schema.shape[key], field),
  ]);
  return { ...Object.fromEntries(fields), newField: { with: "more" } };
}

function run(command: Command, replyTo: (schema: z.ZodType) => unknown): Promise<Result> {
  const answer = async (schema: z.ZodType) => replyTo(schema);
  const api = { url: new URL("http://localhost"), get: answer, look: answer } as unknown as Api;
  const signIn = { token: async () => undefined } as SignIn;
  const call = { args: [id], options: {}, api, signIn, terminal: {} as Terminal };
  return command.run(call);
}

/** Those that print no reply, or only the text of a document. */
const others = /^(login|logout|confirm|health|selftest|incident show|operator enrol)$/;
const reads = commands
  .filter(({ name, changes }) => !changes && !others.test(name))
  .map((command) => [command.name, command] as const);

describe("a healthy server", () => {
  it("fits status in a terminal of 80 by 24", async () => {
    const detail = "lag 53 s, keeps every row, 0 batches lost in the last two days";
    const finding = { name: "clock skew to the database", status: "pass", detail };
    const findings = Array.from({ length: 14 }, (_, at) =>
      at < 3 ? finding : { ...finding, detail: "none firing" },
    );
    const lines = (await printed("status", { status: "pass", findings })).split("\n");
    // npm prints four lines before, and the prompt needs one.
    expect(lines.length + 5).toBeLessThanOrEqual(24);
    expect(lines.join(" ").split("0 batches lost in")).toHaveLength(4);
  });
});

describe("the columns that decide stay beside their row", () => {
  const session = {
    id: "a".repeat(22),
    deviceName: "a phone",
    platform: null,
    appVersion: null,
    country: "DE",
    role: "operator",
    createdAt: at,
    lastSeenAt: at,
    expiresAt: at,
    revokedAt: at,
    revokedReason: "password_changed",
    state: "revoked",
  };
  const alert = {
    rule: "PagerUndelivered",
    label: "investigate",
    state: "firing",
    since: at,
    detail: "notice_unsent_seconds is 1207",
    priority: "P2",
    toldPriority: "P2",
    silencedUntil: null,
    runbook: "https://example.com/docs/runbooks/pager-undelivered.md",
  };
  const incident = {
    id,
    title: "Sign-ins fail for a third of all learners",
    severity: "P1",
    openedAt: at,
    openedBy: id,
    openedByName: "Grace (g***@example.com)",
    closedAt: at,
  };
  const entry = { id: 7, actorKind: "operator", actorId: id, ipPrefix: "203.0.113.0/24" };
  it.each([
    ["sessions list", { items: [session] }, /^a{22} +revoked \(password_changed\)/m],
    [
      "alerts",
      { evaluatedUntil: at, alerts: [alert], silences: [], unsent: 0 },
      /^firing +PagerUndelivered \(investigate\)/m,
    ],
    [
      "alerts",
      {
        evaluatedUntil: at,
        alerts: [{ ...alert, heldBackBy: ["RedisDown"], isResolving: true }],
        silences: [],
        unsent: 0,
      },
      /1207; resolving; held\s+back\s+by\s+RedisDown/,
    ],
    ["incident list", { items: [incident] }, /^[\da-f-]{36} +closed +P1/m],
    [
      "audit",
      { items: [{ ...audit, ...entry, reason: "a lost phone" }], nextCursor: null },
      /^2026-\S+ +operator_token\.created/m,
    ],
    ["block list", { items: [block] }, /^user +user:[\da-f-]{36} /m],
    [
      "access-log",
      { items: [request], nextCursor: null, eventsUntil: at },
      /^2026-\S+ .*401 .*operator_token_ended/m,
    ],
  ])("%s", async (name, answer, row) => {
    const text = await printed(name, answer);
    expect(text).toMatch(row);
    for (const line of text.split("\n")) expect(stringWidth(line), line).toBeLessThanOrEqual(80);
  });
});

describe("what tells rows apart is shown", () => {
  it("sessions list: when each began and from which network", async () => {
    const session = {
      id: "a".repeat(22),
      state: "live",
      revokedReason: null,
      role: "user",
      deviceName: null,
      country: null,
      ipPrefix: "203.0.113.0/24",
      createdAt: at,
      lastSeenAt: at,
    };
    const text = await printed("sessions list", { items: [session] });
    expect(text).toMatch(/createdAt 2026-01-31T08:00:00Z {2}network 203\.0\.113\.0\/24/);
  });

  it("audit: whether the break-glass token acted", async () => {
    const entry = { ...audit, id: 7, actorKind: "operator", ipPrefix: null, reason: "x" };
    const items = [
      { ...entry, actorId: "break_glass" },
      { ...entry, actorId: id },
    ];
    const text = await printed("audit", { items, nextCursor: null });
    const [first, second] = text.match(/^2026.*$/gm) ?? [];
    expect(first).toMatch(/ 7 +break-glass +x$/);
    expect(second).toMatch(/ 7 +operator +x$/);
  });

  it("access-log: that an address stands for its network", async () => {
    const answer = { items: [request], nextCursor: null, eventsUntil: at };
    expect(await printed("access-log", answer)).not.toContain("network");
    expect(await printed("access-log", answer, { ip: "203.0.113.7" })).toContain(
      "\nOf all addresses in 203.0.113.0/24: the access log has no single addresses.\n",
    );
  });

  it("slow: no line of its own for a count of 0", async () => {
    const row = { route: `/api/${"x".repeat(25)}`, count: 12345, meanSeconds: 0.1, p50: 0.1 };
    const rows = [{ ...row, p95: 0.1, p99: 0.1, over1s: 0, over2s: 0 }];
    const text = await printed("slow", { minutes: 15, eventsUntil: at, rows });
    expect(text.split("\n")).toHaveLength(3);
  });

  it("slow: the unit of the latencies", async () => {
    const row = { route: "/api/", count: 1, meanSeconds: 0.1, p50: 0.1, p95: 0.1, p99: 0.1 };
    const rows = [{ ...row, over1s: 0, over2s: 0 }];
    const text = await printed("slow", { minutes: 15, eventsUntil: at, rows });
    expect(text).toMatch(/^route +count +mean s +p50 s +p95 s +p99 s +over1s +over2s$/m);
  });
});

describe("find", () => {
  it("shows the mails that did not reach a person, and the last one that did", async () => {
    const mail = { at, state: "failed", attempts: 12, lastError: "status_422", correlationId: "c" };
    const text = await printed("find", {
      lookedUpAs: ["email"],
      eventsUntil: at,
      mailSuppression: null,
      mailBudgets: [],
      queuedMails: [{ ...mail, template: "reset_password" }],
      lastMailDeliveredAt: at,
      cut: [],
      ...{ accounts: [], blocks: [], securityEvents: [], audit: [], requests: [] },
    });
    expect(text).toContain("The last mail was delivered at 2026-01-31T08:00:00Z.\n");
    expect(text).toMatch(/^2026-01-31T08:00:00Z +failed +reset_password +12 +status_422$/m);
  });
});

describe("alerts", () => {
  afterEach(() => vi.useRealTimers());

  it.each([
    ["2026-01-31T12:02:00.000Z", "12:03 UTC (2 min ago)."],
    ["2026-01-31T12:04:00.000Z", "12:05 UTC (less than 1 min ago)."],
    ["2026-01-31T09:29:00.000Z", "09:30 UTC (2 h ago).\nThat is late: see `npm run ops -- cron`"],
    ["2026-01-28T12:02:00.000Z", "2026-01-28 12:03 UTC (3 d ago).\nThat is late: see "],
  ])("says up to when they were evaluated: %s", async (evaluatedUntil, text) => {
    vi.useFakeTimers({ now: Date.parse("2026-01-31T12:05:30Z"), toFake: ["Date"] });
    const answer = { evaluatedUntil, alerts: [], silences: [], unsent: 0 };
    expect(await printed("alerts", answer)).toContain(`\nEvaluated up to ${text}`);
  });

  it.each(["errors", "slow"])("have siblings that say it, too: %s", async (name) => {
    const answer = { minutes: 15, eventsUntil: "2026-01-31T12:03:40.000Z", rows: [] };
    const until = "Events up to 2026-01-31 12:03:40 UTC.\n";
    expect(await printed(name, answer)).toContain(until);
    expect(await printed(name, { ...answer, redisAnswered: false })).toContain(
      `${until}Redis does not answer: newer events are missing until it does.\n`,
    );
  });

  it("shows each rule on one line, and the age of the counts once", async () => {
    const rule = (name: string, ageSeconds: number, detail: string) => ({
      rule: name,
      priority: "P2",
      ageSeconds,
      now: [{ label: "investigate", is: "good", detail, state: "inactive" }],
    });
    const rules = [
      rule("ErrorRateCritical", 82, "0 of 7 in 5 min"),
      rule("PagerUndelivered", 0, "telemetry_drain_lag_seconds is 23"),
    ];
    expect((await printed("alerts rules", { rules })).split("\n")).toEqual([
      "rule                             priority  result  measured",
      "ErrorRateCritical (investigate)  P2        good    0 of 7 in 5 min",
      "PagerUndelivered (investigate)   P2        good    telemetry_drain_lag_seconds",
      "                                                   is 23",
      "Counts in minutes are 82 s old, all other values are of now.",
    ]);
  });

  it("says that they were never evaluated", async () => {
    const answer = { evaluatedUntil: new Date(0).toISOString(), alerts: [], silences: [] };
    expect(await printed("alerts", answer)).toContain("\nNot evaluated yet.");
  });
});

describe("every command that reads", () => {
  it.each(reads)("fits 80 columns with long values: %s", async (_, command) => {
    const lines = (await run(command, longest)).text.split("\n");
    expect(lines.length).toBeGreaterThan(1);
    // A command to copy stays on one line.
    const texts = lines.filter((line) => !line.startsWith("npm run ops -- "));
    expect(texts.filter((line) => stringWidth(line) > 80)).toEqual([]);
  });

  it.each(reads)("reads the reply of a newer release: %s", async (_, command) => {
    const bodies: unknown[] = [];
    const { text, body } = await run(command, (schema) => {
      bodies.push(newer(schema, longest(schema)));
      const answer = { status: 200, code: undefined, received: "", retryAfter: undefined };
      return readReply(schema, { ...answer, body: bodies.at(-1) });
    });
    expect(text).not.toContain("newField");
    // `verify` adds findings of its own to the reply.
    if (command.name !== "verify") expect(JSON.parse(JSON.stringify(body))).toEqual(bodies.at(-1));
  });
});
