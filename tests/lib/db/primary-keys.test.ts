import { describe, expect, it } from "vitest";
import { ensurePartitions } from "../../../lib/telemetry/partitions.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();

describe("the tables of the database", () => {
  it("all have a primary key, including partitions, as logical replication needs", async () => {
    const [first] =
      await stores.sql(`select relname from pg_class join pg_inherits on oid = inhrelid
      where inhparent = 'access_log'::regclass order by 1 limit 1`);
    await stores.sql(`drop table ${first?.relname}`);
    expect(await ensurePartitions(aContext())).toBe(1);
    const without = await stores.sql(
      `select relname from pg_class
      where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
        and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)`,
    );
    expect(without).toEqual([]);
  });
});
