import { describe, expect, it } from "vitest";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

async function aChange() {
  const person = await aUser();
  const answer = await call(user, "PATCH", {
    token: person.accessToken,
    body: { name: "Grace" },
    ip: "2001:db8:1:2::3",
    headers: { "x-correlation-id": "5d3c5f06-6c45-4f5e-9f52-1f8b2c1d9a10" },
  });
  expect(answer.status).toBe(200);
  return person;
}

describe("the audit log", () => {
  it("records IDs, the correlation ID and the caller's network", async () => {
    const { user: account } = await aChange();
    const rows = await stores.sql("select * from audit_log where subject_id = $1", account.id);
    expect(rows).toEqual([
      {
        id: expect.any(String),
        at: expect.any(String),
        actor_kind: "user",
        actor_id: account.id,
        action: "user.updated",
        subject_id: account.id,
        reason: null,
        correlation_id: "5d3c5f06-6c45-4f5e-9f52-1f8b2c1d9a10",
        ip_prefix: "2001:db8:1::/48",
      },
    ]);
  });

  it.each(["update audit_log set actor_id = null", "delete from audit_log", "truncate audit_log"])(
    "rejects: %s",
    async (statement) => {
      await aChange();
      const count = () => stores.sql("select count(*) from audit_log");
      const before = await count();
      await expect(stores.sql(statement)).rejects.toThrow("append-only");
      expect(await count()).toEqual(before);
    },
  );
});
