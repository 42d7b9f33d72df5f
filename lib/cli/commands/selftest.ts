import { randomUUID } from "node:crypto";
import type { Command } from "../command.js";
import { exchange } from "../http.js";
import { table } from "../text.js";

interface Pair {
  accessToken: string;
  refreshToken: string;
}

/** The steps of a new user, with the expected status. */
const steps: [
  name: string,
  status: number,
  call: (pair: Pair) => Parameters<typeof exchange>[1],
][] = [
  ["create a guest account", 201, () => ({ method: "POST", path: "/api/auth/guest", body: {} })],
  ["read the account", 200, (pair) => get("/api/user", pair)],
  ["read the preferences", 200, (pair) => get("/api/user/preferences", pair)],
  ["read the flags", 200, (pair) => get("/api/flags", pair)],
  [
    "refresh the tokens",
    200,
    ({ refreshToken }) => ({
      method: "POST",
      path: "/api/auth/refresh",
      body: { refreshToken },
    }),
  ],
  ["list the sessions", 200, (pair) => get("/api/user/sessions", pair)],
  ["sign out", 204, (pair) => ({ ...get("/api/auth/logout", pair), method: "POST" })],
  ["reject the revoked token", 401, (pair) => get("/api/user", pair)],
];

const get = (path: string, { accessToken }: Pair) => ({
  method: "GET",
  path,
  headers: { authorization: `Bearer ${accessToken}` },
});

type Row = {
  step: string;
  is: "pass" | "FAIL";
  status: number | null;
  ms: number;
  /** These explain a failure. */
  code?: string | undefined;
  correlationId?: string;
  next?: string;
};

export const selftest: Command = {
  name: "selftest",
  args: [],
  summary: "smoke test: call the app's main endpoints as a new guest",
  notes: "Creates one guest account, signed out and without data, and does not delete it.",
  async run({ api }) {
    let pair: Pair = { accessToken: "", refreshToken: "" };
    const rows: Row[] = [];
    for (const [step, expected, callOf] of steps) {
      const startedMs = performance.now();
      const correlationId = randomUUID();
      const { headers, ...call } = callOf(pair);
      const named = { ...call, headers: { ...headers, "x-correlation-id": correlationId } };
      const { answer, error } = await exchange(api.url, named).then(
        (answer) => ({ answer, error: undefined }),
        (error: Error) => ({ answer: undefined, error }),
      );
      const ms = Math.round(performance.now() - startedMs);
      const measured = { status: answer?.status ?? null, ms };
      if (answer?.status !== expected) {
        const code = error?.message ?? answer?.code ?? `expected ${expected}`;
        rows.push({
          step,
          is: "FAIL",
          ...measured,
          code,
          correlationId,
          next: nextStep(answer, correlationId),
        });
        break;
      }
      rows.push({ step, is: "pass", ...measured });
      const body = answer.body as Partial<Pair> | undefined;
      if (body?.accessToken && body.refreshToken) pair = body as Pair;
    }
    const isProblem = rows.some(({ is }) => is === "FAIL");
    const text = table(rows, undefined, ["code", "correlationId", "next"]);
    return { body: { steps: rows, isGood: !isProblem }, text, isProblem };
  },
};

const nextSteps: Record<string, string> = {
  feature_disabled: "flag",
  rate_limited: "ratelimit top",
  service_unavailable: "status",
};

function nextStep(answer: { code: string | undefined } | undefined, correlationId: string): string {
  const command = answer ? (nextSteps[answer.code ?? ""] ?? `find ${correlationId}`) : "health";
  return `npm run ops -- ${command}`;
}
