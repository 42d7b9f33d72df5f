import type { Command } from "../command.js";
import { exchange, type HttpAnswer } from "../http.js";
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

export const selftest: Command = {
  name: "selftest",
  args: [],
  summary: "smoke test: call the app's main endpoints as a new guest",
  notes: "Creates one guest account, signed out and without data, and does not delete it.",
  async run({ api }) {
    let pair: Pair = { accessToken: "", refreshToken: "" };
    const rows: { step: string; is: "pass" | "FAIL"; status: number | null; ms: number }[] = [];
    for (const [step, expected, callOf] of steps) {
      const startedMs = performance.now();
      const answer = await exchange(api.url, callOf(pair)).catch((): HttpAnswer | null => null);
      const ms = Math.round(performance.now() - startedMs);
      const isGood = answer?.status === expected;
      rows.push({ step, is: isGood ? "pass" : "FAIL", status: answer?.status ?? null, ms });
      if (!isGood) break;
      const body = answer.body as Partial<Pair> | undefined;
      if (body?.accessToken && body.refreshToken) pair = body as Pair;
    }
    const isProblem = rows.length < steps.length || rows.some(({ is }) => is === "FAIL");
    return { body: { steps: rows, isGood: !isProblem }, text: table(rows), isProblem };
  },
};
