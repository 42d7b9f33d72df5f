import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { attempts } from "../../../lib/db/schema/learning.js";
import { writeLearner } from "../../../lib/learning/learner-write.js";
import { aContext } from "../../support/context.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const part = sql`update ${attempts} set revision = learner.revision from learner
  where ${attempts.userId} = learner.user_id`;
const revisionOf = async (userId: string) => {
  const [row] = await stores.sql("select revision from learners where user_id = $1", userId);
  return Number(row?.revision ?? 0);
};

describe("a write of a learner", () => {
  it("makes the learner's row, then raises its revision by one", async () => {
    const { user } = await aUser();
    const write = () =>
      writeLearner(
        aContext(),
        user.id,
        async () => ({ revision: await revisionOf(user.id) }),
        ({ revision }) => ({ reply: revision, write: { parts: { part } } }),
      );
    expect([await write(), await write(), await revisionOf(user.id)]).toEqual([0, 1, 2]);
  });

  it("reads again when the learner has changed since the read, and applies what it then decides", async () => {
    const { user } = await aUser();
    let reads = 0;
    const read = async () => {
      reads += 1;
      const revision = await revisionOf(user.id);
      // Another write between the read and this one.
      if (reads === 1) await stores.sql("insert into learners values ($1, 1, 10)", user.id);
      return { revision };
    };
    const reply = await writeLearner(aContext(), user.id, read, ({ revision }) => ({
      reply: revision,
      write: { parts: { part }, xp: 5 },
    }));
    expect([reads, reply]).toEqual([2, 1]);
    const rows = await stores.sql(
      "select revision, total_xp from learners where user_id = $1",
      user.id,
    );
    expect(rows).toEqual([{ revision: "2", total_xp: "15" }]);
  });

  it("throws service_unavailable after four tries, without having written", async () => {
    const { user } = await aUser();
    let reads = 0;
    const stale = async () => {
      reads += 1;
      return { revision: 7 };
    };
    await stores.sql("insert into learners values ($1, 9, 10)", user.id);
    const write = writeLearner(aContext(), user.id, stale, () => ({
      reply: null,
      write: { parts: { part }, xp: 5 },
    }));
    await expect(write).rejects.toMatchObject({ code: "service_unavailable" });
    expect(reads).toBe(4);
    const rows = await stores.sql(
      "select revision, total_xp from learners where user_id = $1",
      user.id,
    );
    expect(rows).toEqual([{ revision: "9", total_xp: "10" }]);
  });

  it("throws session_revoked for an account that is gone", async () => {
    const write = writeLearner(
      aContext(),
      crypto.randomUUID(),
      async () => null,
      () => ({
        reply: null,
      }),
    );
    await expect(write).rejects.toMatchObject({ code: "session_revoked" });
  });

  it("writes nothing for a guest that was merged since the read", async () => {
    const [{ user }, account] = [await aUser(), await aUser()];
    await stores.sql("update users set merged_into = $2 where id = $1", user.id, account.user.id);
    let reads = 0;
    const read = async () => {
      reads += 1;
      return reads === 1 ? { revision: 0 } : null;
    };
    const write = writeLearner(aContext(), user.id, read, () => ({
      reply: null,
      write: { parts: { part } },
    }));
    await expect(write).rejects.toMatchObject({ code: "session_revoked" });
    expect(await revisionOf(user.id)).toBe(0);
  });
});
