import { afterEach, beforeEach, describe, expect, it } from "vitest";
import begin from "../../../api/ops/restore/begin.js";
import finish from "../../../api/ops/restore/finish.js";
import user from "../../../api/user/index.js";
import type { Branch } from "../../../dev/neon-api/neon-endpoint.js";
import { backupStore } from "../../../lib/backups/configured-store.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment } from "../../support/environment.js";
import { neonEnvironment, useNeon } from "../../support/neon-api.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useNeon(stores);
let admin: OperatorPerson;
let gone: Person;

/** The branch before the restore: it has erased an account, which the live database has again. */
async function theBranchBefore(): Promise<Branch> {
  await stores.sql("delete from erasures");
  await stores.sql("insert into erasures values ($1, now())", gone.user.id);
  const at = new Date(Date.now() - 60_000);
  await world.remember(at);
  await stores.sql("delete from erasures");
  const store = await backupStore(aContext());
  const expiresAt = new Date(Date.now() + 86_400_000);
  await store?.createCopy({ name: "before", at: new Date(at.getTime() + 1000), expiresAt });
  const before = world.neon.copies()[0];
  if (!before) throw new Error("There is no branch.");
  await before.database;
  before.parentId = undefined;
  const live = world.neon.state.branches.get(world.neon.branchId);
  if (live) live.parentId = before.id;
  return before;
}

const finished = () => operate(finish, "POST", admin.token, {});
const isThere = async ({ user: { id } }: Person) =>
  (await stores.sql("select 1 from users where id = $1", id)).length > 0;

beforeEach(async () => {
  await stores.liftLimits();
  admin = await anOperator(stores, "admin");
  gone = await aUser();
  await theBranchBefore();
  await stores.redis("DEL", "erasures");
  expect((await operate(begin, "POST", admin.token, {})).status).toBe(200);
});
afterEach(async () => {
  const live = world.neon.state.branches.get(world.neon.branchId);
  if (live) live.parentId = undefined;
  await stores.sql(
    "update security_settings set restore_begun_at = 'epoch', restore_finished_at = 'epoch'",
  );
  await stores.redis("HDEL", "gate", "restore");
});

describe("restore finish on Neon, when Redis has lost the erasures", () => {
  it("repeats those of the branch that the live one was made from", async () => {
    const answer = await finished();
    expect(answer).toMatchObject({
      status: 200,
      body: { detail: { erasedAgain: 1, copies: ["the source branch in Neon"] } },
    });
    expect(await isThere(gone)).toBe(false);
  });

  it("finds the live branch by DATABASE_URL, when NEON_BRANCH_ID is still the old one", async () => {
    const [before] = world.neon.copies();
    setEnvironment({ ...neonEnvironment(world.neon), NEON_BRANCH_ID: before?.id ?? "" });
    expect((await finished()).body.detail.erasedAgain).toBe(1);
  });

  it.each([
    ["the branch has no source", () => undefined],
    ["the source is gone", () => "br-gone"],
  ])("stays closed when %s", async (_, parentId) => {
    const live = world.neon.state.branches.get(world.neon.branchId);
    if (live) live.parentId = parentId();
    expect(await finished()).toMatchObject({ status: 409, code: "erasures_unreadable" });
    expect((await call(user, "GET", { token: gone.accessToken })).code).toBe("restore_in_progress");
    expect(await isThere(gone)).toBe(true);
  });

  it("stays closed while Neon does not answer", async () => {
    world.neon.fail({ kind: "status", status: 500 });
    expect(await finished()).toMatchObject({ status: 409, code: "erasures_unreadable" });
  });

  it("uses every copy that can be read", async () => {
    await stores.redis("XADD", "erasures", "*", "complete", "1");
    expect((await finished()).body.detail).toMatchObject({
      erasedAgain: 1,
      copies: ["the stream in Redis", "the source branch in Neon"],
    });
  });
});
