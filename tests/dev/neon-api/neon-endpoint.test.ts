import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedBranches } from "../../../dev/neon-api/embedded-branches.js";
import { type NeonEndpoint, startNeonEndpoint } from "../../../dev/neon-api/neon-endpoint.js";
import { snapshot } from "../../support/snapshots.js";

let neon: NeonEndpoint;
beforeAll(async () => {
  const databases = embeddedBranches("postgresql://live", () => snapshot("migrated"));
  await databases.remember(new Date(0));
  neon = await startNeonEndpoint(databases);
});
afterAll(() => neon.close());

const day = 86_400;
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

async function ask(method: string, path: string, body?: unknown, key = neon.apiKey) {
  const response = await fetch(`${neon.url}/projects/${neon.projectId}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}
const main = () => `/branches/${neon.branchId}`;
const branch = (fields: object) => ask("POST", "/branches", { branch: { name: "b", ...fields } });
const schedule = (item: object) => ask("PUT", `${main()}/backup_schedule`, { schedule: [item] });

/** The branch of an answer, once it is ready. */
async function readyBranch({ body }: { body: { branch: { id: string } } }) {
  const made = neon.copies().find(({ id }) => id === body.branch.id);
  await made?.database;
  return body.branch.id;
}

async function sqlOn(branchId: string, text: string): Promise<pg.QueryResultRow[]> {
  const { body } = await ask(
    "GET",
    `/connection_uri?branch_id=${branchId}&database_name=d&role_name=r`,
  );
  const client = new pg.Client({ connectionString: body.uri });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}

describe("the stand-in of Neon", () => {
  it("refuses what Neon refuses", async () => {
    const refusals: [string, Promise<{ status: number }>, number][] = [
      ["another key", ask("GET", "", undefined, "wrong"), 401],
      ["an unknown branch", ask("GET", "/branches/br-none-1"), 404],
      ["an ID against its pattern", ask("GET", "/branches/NONE"), 400],
      ["an unknown field", branch({ colour: "red" }), 400],
      ["a schedule by the hour", schedule({ frequency: "hourly" }), 400],
      [
        "35 days and a second",
        schedule({ frequency: "daily", retention_seconds: 35 * day + 1 }),
        400,
      ],
      ["a retention under an hour", schedule({ frequency: "daily", retention_seconds: 60 }), 400],
      ["a time before the history", branch({ parent_timestamp: inSeconds(-8 * day) }), 400],
      ["a time in the future", branch({ parent_timestamp: inSeconds(60) }), 400],
      ["an expiry in the past", branch({ expires_at: inSeconds(-60) }), 400],
      ["an unknown parent", branch({ parent_id: "br-none-1" }), 404],
      ["the end of the default branch", ask("DELETE", main()), 422],
      [
        "a snapshot kept 36 days",
        ask("POST", `${main()}/snapshot?expires_at=${inSeconds(36 * day)}`),
        400,
      ],
      ["a restore of no snapshot", ask("POST", "/snapshots/snap-none/restore"), 404],
    ];
    for (const [what, answer, status] of refusals) {
      expect([what, (await answer).status]).toEqual([what, status]);
    }
    expect(neon.copies()).toEqual([]);
    expect(await ask("DELETE", "/branches/br-none-1")).toMatchObject({ status: 204 });
  });

  it("ignores the body of a snapshot", async () => {
    const { body } = await ask("POST", `${main()}/snapshot?name=named`, { name: "ignored" });
    expect(body.snapshot).toMatchObject({ name: "named", manual: true });
  });

  it("makes branches that are real copies, and really restores a snapshot", async () => {
    const id = await readyBranch(
      await ask("POST", "/branches", {
        branch: { name: "copy" },
        endpoints: [{ type: "read_write" }],
      }),
    );
    await sqlOn(id, "create table notes as select 'before' as text");
    const taken = await ask("POST", `/branches/${id}/snapshot?name=s`);
    await neon.state.snapshots.at(-1)?.database;
    await sqlOn(id, "update notes set text = 'after'");
    const restored = await readyBranch(
      await ask("POST", `/snapshots/${taken.body.snapshot.id}/restore`, { name: "restored" }),
    );
    expect(await sqlOn(restored, "select text from notes")).toEqual([{ text: "before" }]);
    expect(await sqlOn(id, "select text from notes")).toEqual([{ text: "after" }]);
    const final = await readyBranch(
      await ask("POST", `/snapshots/${taken.body.snapshot.id}/restore`, { finalize_restore: true }),
    );
    expect(neon.state.branches.get(final)).toMatchObject({ name: "copy" });
    expect(neon.state.branches.get(id)).toMatchObject({ name: "copy (old)" });
    for (const each of [restored, final, id]) {
      expect((await ask("DELETE", `/branches/${each}`)).status).toBe(200);
    }
    expect(neon.copies()).toEqual([]);
  });
});
