import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import lift from "../../../api/ops/blocks/[blockId]/lift.js";
import blocks from "../../../api/ops/blocks/index.js";
import closure from "../../../api/ops/incidents/[incidentId]/closure.js";
import incidentRoute from "../../../api/ops/incidents/[incidentId]/index.js";
import notes from "../../../api/ops/incidents/[incidentId]/notes.js";
import incidents from "../../../api/ops/incidents/index.js";
import revocations from "../../../api/ops/revocations.js";
import { call } from "../../support/call.js";
import { anOperator, type OperatorPerson } from "../../support/operators.js";
import { aBoundUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});

const path = (id: string, rest = "") => `http://localhost:8080/api/ops/incidents/${id}${rest}`;
const change = (route: Parameters<typeof call>[0], url: string, body: object) =>
  call(route, "POST", { token: operator.token, url, body: { reason: "a test", ...body } });

describe("an incident", () => {
  it("collects alerts, notes and operators' actions until it is closed, and drafts the post-mortem", async () => {
    const opened = await change(incidents, "http://localhost:8080/api/ops/incidents", {
      title: "Passwords are guessed",
      severity: "P2",
    });
    const { id } = opened.body.detail;
    expect(opened.body.undo).toContain(`incident close ${id}`);
    await stores.sql(
      `insert into alert_transitions values
        ('test:SecurityEventsSpike:', date_trunc('minute', now()), 'SecurityEventsSpike', '',
         'inactive', 'firing', '40 in 5 min')`,
    );
    await change(notes, path(id, "/notes"), { text: "One network | a scanner" });
    const closed = await change(closure, path(id, "/closure"), {});
    expect(closed.body.done).toContain("Close");
    expect((await change(closure, path(id, "/closure"), {})).body.done).toContain("already closed");
    const { body } = await call(incidentRoute, "GET", { token: operator.token, url: path(id) });
    expect(body.incident).toMatchObject({ title: "Passwords are guessed", severity: "P2" });
    expect(body.incident.closedAt).not.toBeNull();
    const entries = body.timeline.map(({ kind, what }: { kind: string; what: string }) => [
      kind,
      what,
    ]);
    expect(entries).toContainEqual([
      "alert",
      "SecurityEventsSpike is firing; when it fired: 40 in 5 min",
    ]);
    expect(entries).toContainEqual(["note", "One network | a scanner"]);
    expect(entries).toContainEqual(["audit", `incident.opened ${id}: a test`]);
    expect(body.postMortem).toContain("# Passwords are guessed");
    expect(body.postMortem).toContain("One network \\| a scanner");
    const list = await call(incidents, "GET", { token: operator.token });
    expect(list.body.items).toMatchObject([{ id, openedByName: "Ada (l***@example.com)" }]);
  });

  const transition = (rule: string, to: string, minutesAgo: number) =>
    stores.sql(
      `insert into alert_transitions values
        ($1, date_trunc('minute', now()) - make_interval(mins => $3), $1, '', 'inactive', $2, 'detail')`,
      rule,
      to,
      String(minutesAgo),
    );
  const open = async (title: string): Promise<string> => {
    const url = "http://localhost:8080/api/ops/incidents";
    return (await change(incidents, url, { title, severity: "P2" })).body.detail.id;
  };
  const show = async (id: string) =>
    (await call(incidentRoute, "GET", { token: operator.token, url: path(id) })).body;
  interface Entry {
    at: string;
    kind: string;
    what: string;
  }

  it("has a timeline that starts with the first alert that was firing, and names people", async () => {
    await stores.sql("delete from alert_transitions");
    await transition("DiskFull", "firing", 60 * 24);
    await transition("LatencyHigh", "firing", 40);
    await transition("LatencyHigh", "inactive", 30);
    await transition("RedisDown", "firing", 20);
    await transition("DrainStalled", "firing", 15);
    await transition("DrainStalled", "inactive", 10);
    const id = await open("Slow");
    const person = await aBoundUser(stores);
    await change(revocations, "http://localhost:8080/api/ops/revocations", {
      session: person.sessionId,
    });
    await change(notes, path(id, "/notes"), { text: "Redis was restarted" });
    const body = await show(id);
    const timeline: Entry[] = body.timeline;
    const times = timeline.map(({ at }) => at);
    expect([...times].sort()).toEqual(times);
    const alerts = timeline.filter(({ kind }) => kind === "alert");
    expect(alerts).toMatchObject([
      {
        at: times[0],
        what: expect.stringMatching(/^DiskFull is firing; when it fired: detail \(since 2/),
      },
      { at: times[0], what: "RedisDown is firing; when it fired: detail" },
      { what: "DrainStalled is firing; when it fired: detail" },
      { what: "DrainStalled is inactive: detail" },
    ]);
    const agoMs = Date.parse(body.incident.openedAt) - Date.parse(times[0] ?? "");
    expect(Math.floor(agoMs / 60_000)).toBe(20);
    const opened = timeline.findIndex(({ what }) => what === `incident.opened ${id}: a test`);
    expect(timeline.slice(opened)).toMatchObject([
      { who: "Ada (l***@example.com)", actorId: operator.user.id },
      {
        who: "Ada (l***@example.com)",
        actorId: operator.user.id,
        what: `session.revoked ${person.user.id}: a test`,
      },
      { who: "Ada (l***@example.com)", what: "Redis was restarted" },
    ]);
    expect(body.postMortem).not.toContain(operator.user.id);
    expect(body.postMortem).toContain(
      `| session.revoked ${person.user.id}: a test | Ada (l***@example.com) |`,
    );
    expect(body.postMortem).toContain("| Redis was restarted | Ada (l***@example.com) |");
    const hourBefore = new Date(Date.parse(times[0] ?? "") - 3_600_000).toISOString();
    expect(body.postMortem).toContain(`npm run ops -- audit --since ${hourBefore}`);
  });

  it("has a timeline that starts when it is opened, when no alert was firing", async () => {
    await stores.sql("delete from alert_transitions");
    await transition("DrainStalled", "firing", 20);
    await transition("DrainStalled", "inactive", 10);
    await open("Before");
    const id = await open("Slow");
    const { timeline, incident, postMortem } = await show(id);
    expect(timeline).toMatchObject([{ what: `incident.opened ${id}: a test` }]);
    const hourBefore = new Date(Date.parse(incident.openedAt) - 3_600_000).toISOString();
    expect(postMortem).toContain(`npm run ops -- audit --since ${hourBefore}`);
  });

  it("keeps the newest of more than 500 entries, and says so", async () => {
    await stores.sql("delete from alert_transitions");
    const id = await open("Long");
    await stores.sql(
      `insert into incident_notes (id, incident_id, at, author, text)
       select gen_random_uuid(), $1, now() + make_interval(secs => n), 'x', 'note ' || n
       from generate_series(1, 501) n`,
      id,
    );
    const { timeline, cut, postMortem } = await show(id);
    const noted = (timeline as Entry[]).filter(({ kind }) => kind === "note");
    expect(noted.map(({ what }) => what)).toEqual(
      Array.from({ length: 500 }, (_, at) => `note ${at + 2}`),
    );
    expect(cut).toEqual(["note"]);
    expect(postMortem).toContain("**The oldest entries are left out (note).**");
    await stores.sql("delete from incident_notes where text = 'note 1'");
    const whole = await show(id);
    expect(whole.cut).toEqual([]);
    expect(whole.postMortem).not.toContain("left out");
  });

  it("says what was blocked while the record of the block exists, then only its ID", async () => {
    const opened = await change(incidents, "http://localhost:8080/api/ops/incidents", {
      title: "Guesses",
      severity: "P2",
    });
    const { id } = opened.body.detail;
    const person = await aBoundUser(stores);
    const block = async (kind: string, value: string) => {
      const set = await change(blocks, "http://localhost:8080/api/ops/blocks", {
        kind,
        value,
        ttlSeconds: 600,
      });
      return set.body.detail.id;
    };
    const network = await block("cidr", "198.51.100.0/24");
    const lifted = await block("ip", "203.0.113.7");
    await block("user", person.user.id);
    const url = `http://localhost:8080/api/ops/blocks/${lifted}/lift`;
    await change(lift, url, {});
    const what = async () => {
      const { body } = await call(incidentRoute, "GET", { token: operator.token, url: path(id) });
      const entries: { what: string }[] = body.timeline;
      return entries.map((entry) => entry.what).filter((text) => text.startsWith("block."));
    };
    const ofPerson = `block.set user ${person.user.id}: a test`;
    expect(await what()).toEqual([
      "block.set cidr 198.51.100.0/24: a test",
      "block.set ip 203.0.113.7: a test",
      ofPerson,
      "block.lifted ip 203.0.113.7: a test",
    ]);
    await stores.sql("delete from blocks where id in ($1, $2)", network, lifted);
    expect(await what()).toEqual([
      `block.set ${network}: a test`,
      `block.set ${lifted}: a test`,
      ofPerson,
      `block.lifted ${lifted}: a test`,
    ]);
  });

  it("is in a list with pages, newest first", async () => {
    await stores.sql("delete from incidents");
    for (const title of ["one", "two", "three"]) {
      await change(incidents, "http://localhost:8080/api/ops/incidents", { title, severity: "P3" });
    }
    // Two at the same time.
    await stores.sql(
      "update incidents set opened_at = date_trunc('second', now()) where title <> 'one'",
    );
    const titles: string[] = [];
    let cursor: string | null = "";
    for (let page = 0; cursor !== null && page < 9; page += 1) {
      const url = `http://localhost:8080/api/ops/incidents?limit=1${cursor && `&cursor=${cursor}`}`;
      const { body } = await call(incidents, "GET", { token: operator.token, url });
      titles.push(...body.items.map((item: { title: string }) => item.title));
      cursor = body.nextCursor;
    }
    expect(titles.toSorted()).toEqual(["one", "three", "two"]);
    expect(titles).toHaveLength(3);
  });

  it("returns 404 for an unknown incident, and opens none in a dry run", async () => {
    for (const id of [randomUUID(), "none"]) {
      const url = path(id);
      expect((await call(incidentRoute, "GET", { token: operator.token, url })).status).toBe(404);
      expect((await change(notes, path(id, "/notes"), { text: "x" })).status).toBe(404);
      expect((await change(closure, path(id, "/closure"), {})).status).toBe(404);
    }
    const before = await stores.sql("select from incidents");
    const dry = { title: "Dry", severity: "P3", dryRun: true };
    await change(incidents, "http://localhost:8080/api/ops/incidents", dry);
    expect(await stores.sql("select from incidents")).toHaveLength(before.length);
  });
});
