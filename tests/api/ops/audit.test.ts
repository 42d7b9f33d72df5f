import { beforeAll, describe, expect, it } from "vitest";
import audit from "../../../api/ops/audit/index.js";
import verification from "../../../api/ops/audit/verification.js";
import { sealAudit } from "../../../lib/audit/seal.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { anOperator, type OperatorPerson } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  for (let row = 0; row < 5; row++) {
    await stores.sql(
      `insert into audit_log (at, actor_kind, actor_id, action, subject_id, reason, correlation_id)
       values (now() - interval '1 hour', 'operator', $1, 'block.set', $2, 'why', 'c')`,
      row % 2 === 0 ? "ada" : "grace",
      `subject-${row}`,
    );
  }
  // Last, because a recent row prevents later rows from being sealed.
  operator = await anOperator(stores);
});
const read = (route: Parameters<typeof call>[0], search = "") =>
  call(route, "GET", {
    token: operator.token,
    url: `http://localhost:8080${route.template}${search}`,
  });

describe("GET /api/ops/audit", () => {
  it("lists audit rows by actor, action, subject and time, with pagination", async () => {
    const first = await read(audit, "?actor=ada&limit=2");
    expect(first.body.items).toMatchObject([
      { actorId: "ada", subjectId: "subject-4", reason: "why" },
      { actorId: "ada", subjectId: "subject-2" },
    ]);
    const rest = await read(audit, `?actor=ada&limit=2&cursor=${first.body.nextCursor}`);
    expect(rest.body).toMatchObject({ items: [{ subjectId: "subject-0" }], nextCursor: null });
    expect((await read(audit, "?subject=subject-3")).body.items).toHaveLength(1);
    expect((await read(audit, "?action=block.set&since=2999-01-01T00:00:00Z")).body.items).toEqual(
      [],
    );
  });
});

describe("GET /api/ops/audit/verification", () => {
  it("detects an altered row", async () => {
    await sealAudit(aContext(), performance.now() + 5000);
    expect((await read(verification)).body).toMatchObject({ isIntact: true, findings: [] });
    await stores.sql("alter table audit_log disable trigger all");
    await stores.sql("update audit_log set reason = 'another' where subject_id = 'subject-3'");
    expect((await read(verification)).body).toMatchObject({
      isIntact: false,
      findings: [{ kind: "altered", what: "rows" }],
    });
    await stores.sql("update audit_log set reason = 'why' where subject_id = 'subject-3'");
    await stores.sql("alter table audit_log enable trigger all");
  });

  it("compares the log with one seal recorded elsewhere", async () => {
    const [seal] = await stores.sql("select last_id, hash from audit_seals");
    const search = `?lastId=${seal?.last_id}&hash=${seal?.hash}`;
    expect((await read(verification, search)).body.isIntact).toBe(true);
    const other = `?lastId=${Number(seal?.last_id) + 1}&hash=${"0".repeat(64)}`;
    expect((await read(verification, other)).body.isIntact).toBe(false);
    expect((await read(verification, "?lastId=x")).status).toBe(422);
    expect((await read(verification, "?lastId=1")).status).toBe(422);
  });

  it("continues after the last verified row", async () => {
    const { seals, verifiedTo } = (await read(verification)).body;
    expect(seals).toBeGreaterThan(0);
    const { body } = await read(verification, `?from=${verifiedTo}`);
    expect(body).toMatchObject({ isIntact: true, seals: 0, verifiedTo });
    const gone = await read(verification, `?from=${verifiedTo + 1}`);
    expect(gone.body).toMatchObject({ isIntact: false, findings: [{ kind: "truncated" }] });
  });
});
