import { describe, expect, it } from "vitest";
import audit from "../../../api/user/audit.js";
import user from "../../../api/user/index.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const list = ({ accessToken: token }: TokenPair, query = "") =>
  call(audit, "GET", { token, url: `http://localhost:8080/api/user/audit${query}` });
const rename = ({ accessToken: token }: TokenPair, name: string) =>
  call(user, "PATCH", { token, body: { name }, ip: "198.51.100.77" });

/** An audit row of an operator, a job or another user. */
const anEntry = (kind: string, actor: string | null, action: string, subject: string | null) =>
  stores.sql(
    `insert into audit_log (actor_kind, actor_id, action, subject_id, reason, correlation_id, ip_prefix)
     values ($1, $2, $3, $4, 'a reason', 'a-correlation-id', '192.0.2.0/24')`,
    kind,
    actor,
    action,
    subject,
  );

describe("GET /api/user/audit", () => {
  it("lists changes to the account, newest first, with the kind of actor", async () => {
    const [person, operator] = [await aUser(), await aUser()];
    const { id } = person.user;
    await rename(person, "Grace");
    await anEntry("operator", operator.user.id, "user.suspended", id);
    await anEntry("system", null, "user.reinstated", id);
    const { status, body, headers } = await list(person);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    const at = expect.any(String);
    expect(body).toEqual({
      items: [
        { at, action: "user.reinstated", actor: "system", ipPrefix: null },
        { at, action: "user.suspended", actor: "operator", ipPrefix: null },
        { at, action: "user.updated", actor: "you", ipPrefix: "198.51.100.0/24" },
      ],
      nextCursor: null,
    });
  });

  it("lists the user's own actions on other accounts without naming those accounts", async () => {
    const [person, other] = [await aUser(), await aUser()];
    await anEntry("operator", person.user.id, "user.suspended", other.user.id);
    const { body } = await list(person);
    expect(body.items).toMatchObject([{ action: "user.suspended", actor: "you" }]);
    expect(JSON.stringify(body)).not.toContain(other.user.id);
  });

  it("does not list actions of other users", async () => {
    const [person, other] = [await aUser(), await aUser()];
    await rename(other, "Grace");
    await anEntry("operator", other.user.id, "user.suspended", null);
    expect((await list(person)).body).toEqual({ items: [], nextCursor: null });
  });

  it("returns each entry once across pages, also when new entries are written", async () => {
    const person = await aUser();
    for (let turn = 0; turn < 5; turn++) {
      await anEntry("system", null, `turn.${turn}`, person.user.id);
    }
    const seen: string[] = [];
    let query = "?limit=2";
    while (query) {
      const { body } = await list(person, query);
      seen.push(...body.items.map(({ action }: { action: string }) => action));
      query = body.nextCursor ? `?limit=2&cursor=${body.nextCursor}` : "";
      await rename(person, "Grace");
    }
    expect(seen).toEqual(["turn.4", "turn.3", "turn.2", "turn.1", "turn.0"]);
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await stores.resetCalls();
    await list(person);
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 8, postgresCalls: 1 });
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    expect(await call(audit, "GET")).toMatchObject({ status: 401, code: "token_missing" });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await list(person)).status).toBe(503);
  });
});
