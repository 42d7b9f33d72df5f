import { afterEach, beforeAll, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import blocks from "../../api/ops/blocks/index.js";
import operatorTokens from "../../api/ops/operator-tokens/index.js";
import operators from "../../api/ops/operators/index.js";
import removals from "../../api/ops/operators/removals.js";
import top from "../../api/ops/rate-limits/top.js";
import suspension from "../../api/ops/users/suspension.js";
import user from "../../api/user/index.js";
import { call } from "../support/call.js";
import { useEnvironment } from "../support/environment.js";
import {
  anOperator,
  breakGlassToken,
  demoteOperators,
  type OperatorPerson,
  operate,
} from "../support/operators.js";
import {
  aBoundUser,
  anAddress,
  bindEmail,
  type Person,
  password,
  someUsers,
} from "../support/people.js";
import { resetUsedStep } from "../support/second-factor.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
useEnvironment({ OPS_TOKEN: breakGlassToken, RATE_LIMIT_MAX_REQUESTS: "100000" });
afterEach(() => demoteOperators(stores));

const admins = async () => {
  const rows = await stores.sql("select id from users where role = 'admin'");
  return rows.length;
};

const rounds = Array.from({ length: 10 }, (_, at) => at);

describe("parallel role changes", () => {
  it.each(rounds)("leave at least one of three admins who remove each other (%i)", async () => {
    await demoteOperators(stores);
    const three = [
      await anOperator(stores, "admin"),
      await anOperator(stores, "admin"),
      await anOperator(stores, "admin"),
    ];
    const answers = await Promise.all(
      three.flatMap((actor) =>
        three.map(({ user: { id } }, at) =>
          at % 2 === 0
            ? operate(removals, "POST", actor.token, { user: id })
            : operate(suspension, "PUT", actor.token, { user: id, suspended: true }),
        ),
      ),
    );
    for (const { status } of answers) expect([200, 401, 403, 409]).toContain(status);
    const [left] = await stores.sql(
      "select count(*)::int as count from users where role = 'admin' and suspended_at is null",
    );
    expect(Number(left?.count)).toBeGreaterThanOrEqual(1);
  });

  it.each(rounds)("leave one of two admins who block each other (%i)", async () => {
    const two = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
    const [one, other] = two as [OperatorPerson, OperatorPerson];
    const block = (actor: OperatorPerson, { user: { id } }: OperatorPerson) =>
      operate(blocks, "POST", actor.token, { kind: "user", value: id, ttlSeconds: 3600 });
    const answers = await Promise.all([block(one, other), block(other, one)]);
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    const left = await Promise.all(two.map(({ token }) => call(top, "GET", { token })));
    expect(left.filter(({ status }) => status === 200).length).toBe(1);
  });

  describe("the first grants", () => {
    let people: Person[] = [];
    beforeAll(async () => {
      people = await someUsers(10);
      for (const person of people) await bindEmail(stores, person);
    });

    it.each(rounds)("make one of ten users the first admin (%i)", async () => {
      await demoteOperators(stores);
      const answers = await Promise.all(
        people.map(({ user: { id } }) => operate(operators, "POST", breakGlassToken, { user: id })),
      );
      expect(answers.filter(({ status }) => status === 200).length).toBe(1);
      expect(answers.filter(({ code }) => code === "operators_exist").length).toBe(9);
      expect(await admins()).toBe(1);
    });
  });

  it.each(rounds)("leave no session with a role removed during the login (%i)", async () => {
    const [admin, leaving] = [await anOperator(stores, "admin"), await anOperator(stores)];
    await resetUsedStep(stores, leaving);
    const body = { email: leaving.email, password, otp: leaving.app.code() };
    const [signedIn] = await Promise.all([
      call(login, "POST", { body, ip: anAddress() }),
      operate(removals, "POST", admin.token, { user: leaving.user.id }),
    ]);
    expect([200, 503]).toContain(signedIn.status);
    if (signedIn.status === 503) return;
    const answer = await call(top, "GET", { token: signedIn.body.accessToken });
    expect(["forbidden", "session_revoked"]).toContain(answer.code);
  });

  it.each(rounds)("leave no session of an account suspended during the login (%i)", async () => {
    const [operator, person] = [await anOperator(stores), await aBoundUser(stores)];
    const body = { email: person.email, password };
    const [signedIn] = await Promise.all([
      call(login, "POST", { body, ip: anAddress() }),
      operate(suspension, "PUT", operator.token, { user: person.user.id, suspended: true }),
    ]);
    if (signedIn.status !== 200) return expect([403, 503]).toContain(signedIn.status);
    const answer = await call(user, "GET", { token: signedIn.body.accessToken });
    expect(answer.code).toBe("session_revoked");
  });
});

describe("operator tokens created in parallel", () => {
  it("have unique names", async () => {
    const admin = await anOperator(stores, "admin");
    const given = { name: "ci-races", scopes: ["*:read"], ttlSeconds: 600 };
    const answers = await Promise.all(
      rounds.map(() => operate(operatorTokens, "POST", admin.token, given)),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect(answers.filter(({ code }) => code === "operator_token_exists").length).toBe(9);
  });

  it.each(rounds)("fail if their creator loses access at the same time (%i)", async (round) => {
    const [admin, leaving] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
    const { id } = leaving.user;
    const given = { name: `ci-leaving-${round}`, scopes: ["*:*"], ttlSeconds: 600 };
    const [made, stopped] = await Promise.all([
      operate(operatorTokens, "POST", leaving.token, given),
      round % 2 === 0
        ? operate(removals, "POST", admin.token, { user: id })
        : operate(blocks, "POST", admin.token, { kind: "user", value: id, ttlSeconds: 600 }),
    ]);
    expect(stopped.status).toBe(200);
    if (made.status !== 200) return expect([401, 403]).toContain(made.status);
    const { token } = made.body.detail;
    expect((await call(top, "GET", { token })).code).toBe("operator_token_ended");
  });
});
