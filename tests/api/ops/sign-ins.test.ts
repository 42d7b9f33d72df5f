import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import refresh from "../../../api/auth/refresh.js";
import flag from "../../../api/ops/flags/[name].js";
import list from "../../../api/ops/flags/index.js";
import revocations from "../../../api/ops/revocations.js";
import confirmations from "../../../api/ops/sign-ins/confirmations.js";
import signIns from "../../../api/ops/sign-ins/index.js";
import refreshes from "../../../api/ops/sign-ins/refreshes.js";
import signOuts from "../../../api/ops/sign-outs.js";
import user from "../../../api/user/index.js";
import { routeGroups } from "../../../lib/admission/route-groups.js";
import {
  createHashSemaphore,
  type HashSemaphore,
} from "../../../lib/auth/password/hash-semaphore.js";
import { type Answer, call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import {
  anOperator,
  breakGlassToken,
  demoteOperators,
  type OperatorPerson,
} from "../../support/operators.js";
import { aBoundUser, aGuest, anAddress, aUser, password } from "../../support/people.js";
import { resetUsedStep } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
const clock = useStillClock();
useEnvironment({
  OPS_TOKEN: breakGlassToken,
  PAGERDUTY_URL: "http://127.0.0.1:9",
  PAGERDUTY_ROUTING_KEY: "f".repeat(32),
});
beforeEach(async () => {
  await stores.liftLimits();
  await demoteOperators(stores);
});

/** Counts the password hashes of this process. */
const gate = createHashSemaphore(4);
let hashes = 0;
const countingGate: HashSemaphore = (hash) => {
  hashes++;
  return gate(hash);
};
Object.assign(globalThis, { [Symbol.for("linguamate.hashGate")]: countingGate });

const groups = Object.keys(routeGroups);

function switchTo(name: string, enabled: boolean, token: string): Promise<Answer> {
  const url = `http://localhost:8080/api/ops/flags/${name}`;
  return call(flag, "PUT", { token, url, body: { enabled, reason: "a test" } });
}

async function signIn(operator: OperatorPerson): Promise<Answer> {
  await resetUsedStep(stores, operator);
  const body = { email: operator.email, password, otp: operator.app.code() };
  return call(signIns, "POST", { body, ip: anAddress() });
}

const flagsAs = (token: string) => call(list, "GET", { token });

describe("POST /api/ops/sign-ins", () => {
  it("signs an operator in with a password and a second factor", async () => {
    const operator = await anOperator(stores);
    const body = { email: operator.email, password };
    const withoutCode = await call(signIns, "POST", { body, ip: anAddress() });
    expect(withoutCode).toMatchObject({ status: 401, code: "otp_required" });
    const signedIn = await signIn(operator);
    expect(signedIn.status).toBe(200);
    expect(signedIn.body.user).toMatchObject({ id: operator.user.id, role: "operator" });
    expect((await flagsAs(signedIn.body.accessToken)).status).toBe(200);
  });

  const learners: Record<string, () => Promise<string>> = {
    "of a learner": async () => (await aBoundUser(stores)).email,
    "of a suspended learner": async () => {
      const { email, user: account } = await aBoundUser(stores);
      await stores.sql("update users set suspended_at = now() where id = $1", account.id);
      return email;
    },
    "of a claim": async () => (await aUser()).email,
    "of several claims": async () => {
      const email = `claimed-${randomUUID()}@example.com`;
      for (let claim = 0; claim < 3; claim++) await aUser({ email });
      return email;
    },
    "of a former operator": async () => {
      const operator = await anOperator(stores);
      await demoteOperators(stores);
      return operator.email;
    },
  };

  /** Everything about a call that the caller can observe or measure. */
  async function observe(body: object) {
    await stores.settled();
    await stores.liftLimits();
    await stores.resetCalls();
    hashes = 0;
    const {
      status,
      body: problem,
      headers,
    } = await call(signIns, "POST", {
      body: { ...body, device: { id: randomUUID(), name: "a probe" } },
      ip: anAddress(),
    });
    await stores.settled();
    headers.delete("x-correlation-id");
    const { correlationId: _, ...visibleBody } = problem;
    const statements = stores.faults.postgres.calls.map(
      ({ body: sent }) => (sent as { queries?: unknown[] }).queries?.length ?? 1,
    );
    return {
      status,
      visibleBody,
      headers: [...headers],
      hashes,
      calls: stores.calls(),
      statements,
    };
  }

  it.each(Object.keys(learners))(
    "gives the same response for the correct password %s as for a wrong one, at the same cost",
    async (kind) => {
      // The first call loads scripts and statements into the stores.
      await observe({ email: `x-${randomUUID()}@example.com`, password });
      const email = (await learners[kind]?.()) ?? "";
      for (const given of [{ password }, { password, otp: "12345678" }]) {
        const unknown = await observe({ email: `x-${randomUUID()}@example.com`, ...given });
        expect(unknown).toMatchObject({
          status: 401,
          visibleBody: { code: "invalid_credentials" },
        });
        expect(unknown.hashes).toBe(1);
        expect(await observe({ email, ...given })).toEqual(unknown);
      }
      expect(await stores.sql("select from sessions where device_name = 'a probe'")).toEqual([]);
    },
  );

  it("shares its failure counters with the login", async () => {
    expect(signIns.endpoints.POST?.limits).toEqual(login.endpoints.POST?.limits);
    const { email } = await anOperator(stores);
    await stores.liftLimits();
    const ip = anAddress();
    const guess = (route: typeof login) =>
      call(route, "POST", { body: { email, password: "a guess" }, ip });
    const codes = [];
    for (const route of [login, signIns, login, signIns, login, signIns, login]) {
      codes.push((await guess(route)).code);
    }
    expect(codes.slice(0, 5)).toEqual(Array(5).fill("invalid_credentials"));
    expect(codes.slice(5)).toEqual(["rate_limited", "rate_limited"]);
    // The account's delay applies to both routes, from any address.
    const elsewhere = { body: { email, password: "a guess" }, ip: anAddress() };
    expect((await call(signIns, "POST", elsewhere)).code).toBe("rate_limited");
  });

  it("exempts an operator with an earlier token from the delay caused by other people's attempts", async () => {
    const operator = await anOperator(stores);
    await resetUsedStep(stores, operator);
    clock.advance(3600);
    for (let guess = 0; guess < 5; guess += 1) {
      const body = { email: operator.email, password: "a guess" };
      await call(signIns, "POST", { body, ip: anAddress() });
    }
    expect((await signIn(operator)).code).toBe("rate_limited");
    const body = { email: operator.email, password, otp: operator.app.code() };
    const known = { body, ip: anAddress(), token: operator.accessToken };
    expect((await call(signIns, "POST", known)).status).toBe(200);
    const learner = await aUser();
    const stranger = { body, ip: anAddress(), token: learner.accessToken };
    expect((await call(signIns, "POST", stranger)).status).toBe(401);
  });

  it("reports failures and attack patterns as the login does", async () => {
    const body = { email: "x' or 1=1 -- @example.com", password: "a guess" };
    expect((await call(signIns, "POST", { body, ip: anAddress() })).status).toBe(401);
    expect(logs.read("login_failed").length).toBe(1);
    expect(logs.read("sql_injection_attempt").length).toBe(1);
  });
});

describe("POST /api/ops/sign-ins/refreshes", () => {
  it("refreshes an operator's session, created by either sign-in", async () => {
    const operator = await anOperator(stores);
    const inApp = await call(refreshes, "POST", { body: { refreshToken: operator.refreshToken } });
    expect(inApp.status).toBe(200);
    const { body } = await signIn(operator);
    const again = await call(refreshes, "POST", { body: { refreshToken: body.refreshToken } });
    expect(again.status).toBe(200);
    expect((await flagsAs(again.body.accessToken)).status).toBe(200);
  });

  it("returns 401 for other accounts' tokens, which stay valid", async () => {
    for (const { refreshToken } of [await aUser(), await aGuest()]) {
      const refused = await call(refreshes, "POST", { body: { refreshToken } });
      expect(refused).toMatchObject({ status: 401, code: "token_invalid" });
      clock.advance(200);
      expect((await call(refresh, "POST", { body: { refreshToken } })).status).toBe(200);
    }
  });
});

describe("POST /api/ops/sign-ins/confirmations", () => {
  it("returns a token with a recently used second factor", async () => {
    const operator = await anOperator(stores);
    const { body } = await signIn(operator);
    clock.advance(601);
    const late = await switchTo("stt", true, body.accessToken);
    expect(late).toMatchObject({ status: 403, code: "reauth_required" });
    const fresh = await call(confirmations, "POST", {
      token: body.accessToken,
      body: { otp: operator.app.code() },
    });
    expect(fresh.status).toBe(200);
    expect((await switchTo("stt", true, fresh.body.accessToken)).status).toBe(200);
  });

  it("returns 403 for learners, and counts wrong codes together with the reauthentication", async () => {
    expect(confirmations.endpoints.POST?.limits).toEqual(reauthenticate.endpoints.POST?.limits);
    const { accessToken } = await aUser();
    const learner = await call(confirmations, "POST", { token: accessToken, body: { otp: "1" } });
    expect(learner).toMatchObject({ status: 403, code: "forbidden" });
    expect(logs.read("privilege_escalation_attempt").length).toBe(1);

    const operator = await anOperator(stores);
    const body = { otp: operator.app.wrongCode() };
    const codes = [];
    for (const route of [reauthenticate, confirmations, reauthenticate, confirmations]) {
      codes.push((await call(route, "POST", { token: operator.token, body })).code);
    }
    expect(new Set(codes)).toEqual(new Set(["otp_invalid"]));
    await call(reauthenticate, "POST", { token: operator.token, body });
    const next = await call(confirmations, "POST", { token: operator.token, body });
    expect(next.code).toBe("rate_limited");
  });
});

describe("POST /api/ops/sign-outs", () => {
  it("revokes the session", async () => {
    const { body } = await signIn(await anOperator(stores));
    const token = body.accessToken;
    expect((await call(signOuts, "POST", { token })).status).toBe(204);
    expect((await flagsAs(token)).code).toBe("session_revoked");
    expect((await call(signOuts, "POST", { token })).status).toBe(204);
  });
});

describe("with all route groups disabled", () => {
  it("lets operators refresh, confirm and sign in, and enable everything again", async () => {
    const operator = await anOperator(stores);
    const { body: before } = await signIn(operator);
    for (const name of groups) {
      expect((await switchTo(name, false, before.accessToken)).status).toBe(200);
    }
    clock.advance(900 + 31);
    expect((await flagsAs(before.accessToken)).code).toBe("token_expired");
    const learner = [
      await call(login, "POST", { body: { email: operator.email, password }, ip: anAddress() }),
      await call(refresh, "POST", { body: { refreshToken: before.refreshToken } }),
      await call(logout, "POST", { token: (await signIn(operator)).body.accessToken }),
    ];
    expect(learner.map(({ code }) => code)).toEqual(Array(3).fill("feature_disabled"));

    const renewed = await call(refreshes, "POST", { body: { refreshToken: before.refreshToken } });
    expect(renewed.status).toBe(200);
    const { accessToken } = renewed.body;
    expect((await switchTo("stt", true, accessToken)).code).toBe("reauth_required");
    await resetUsedStep(stores, operator);
    const confirmed = await call(confirmations, "POST", {
      token: accessToken,
      body: { otp: operator.app.code() },
    });
    expect((await switchTo("stt", true, confirmed.body.accessToken)).status).toBe(200);

    clock.advance(900 + 31);
    const again = await signIn(operator);
    expect(again.status).toBe(200);
    const statuses = [];
    for (const name of groups) {
      statuses.push((await switchTo(name, true, again.body.accessToken)).status);
    }
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await call(user, "GET", { token: again.body.accessToken })).status).toBe(200);
  });

  it("lets the break-glass token enable everything again, with a page for each use", async () => {
    const { token } = await anOperator(stores);
    for (const name of groups) await switchTo(name, false, token);
    clock.advance(86_400);
    await stores.sql("delete from queue_entries where kind = 'notice'");
    const answers = [];
    for (const name of groups) answers.push(await switchTo(name, true, breakGlassToken));
    expect(answers.map(({ status }) => status)).toEqual(groups.map(() => 200));
    await stores.settled();
    const pages = await stores.sql("select from queue_entries where kind = 'notice'");
    expect(pages.length).toBe(groups.length);
    const { items } = (await flagsAs(breakGlassToken)).body;
    expect(items.every(({ enabled }: { enabled: boolean }) => enabled)).toBe(true);
  });

  it("lets operators sign in again after all sessions were revoked", async () => {
    // A time ahead of Redis's clock would have no effect.
    vi.useRealTimers();
    const operator = await anOperator(stores);
    for (const name of groups) await switchTo(name, false, operator.token);
    const body = { everybody: true, reason: "a test" };
    expect((await call(revocations, "POST", { token: operator.token, body })).status).toBe(200);
    expect((await flagsAs(operator.token)).code).toBe("session_revoked");
    const again = await signIn(operator);
    expect(again.status).toBe(200);
    for (const name of groups) {
      expect((await switchTo(name, true, again.body.accessToken)).status).toBe(200);
    }
  });
});
