import { beforeEach, describe, expect, it } from "vitest";
import breaker from "../../../api/ops/breakers/[service].js";
import breakers from "../../../api/ops/breakers/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { aUser } from "../../support/people.js";
import { enrol, freshToken } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();
let token: string;

beforeEach(async () => {
  await stores.redis("DEL", "gate", "breaker:toolkit");
  const person = await aUser();
  await stores.sql("update users set role = 'operator' where id = $1", person.user.id);
  const app = await enrol(stores, person);
  token = await freshToken(person, app.code());
});

const url = (service: string) => `http://localhost:8080/api/ops/breakers/${service}`;
const set = (state: string, service = "toolkit", dryRun = false) =>
  call(breaker, "PUT", { token, url: url(service), body: { state, reason: "a drill", dryRun } });
const readBreaker = async () => (await call(breakers, "GET", { token })).body.items[0];

describe("/api/ops/breakers", () => {
  it("shows a closed breaker in automatic mode", async () => {
    expect(await readBreaker()).toEqual({
      service: "toolkit",
      state: "closed",
      setTo: "auto",
      opensUntil: null,
      openingsInARow: 0,
      failuresInWindow: 0,
    });
  });

  it("forces the breaker open, closed or back to automatic, with an undo command and an audit row", async () => {
    const opened = await set("open");
    expect(opened.body).toMatchObject({
      dryRun: false,
      undo: 'npm run ops -- breaker auto toolkit --reason "undo"',
    });
    expect(await readBreaker()).toMatchObject({ state: "open", setTo: "open" });
    await set("closed");
    expect(await readBreaker()).toMatchObject({ state: "closed", setTo: "closed" });
    await set("auto");
    expect(await readBreaker()).toMatchObject({ state: "closed", setTo: "auto" });
    const rows = await stores.sql(
      "select subject_id, reason from audit_log where action = 'breaker.set' order by id",
    );
    expect(rows).toEqual(
      ["open", "closed", "auto"].map((state) => ({
        subject_id: `breaker:toolkit:${state}`,
        reason: "a drill",
      })),
    );
  });

  it("returns 503 that names Redis while it does not answer, without an audit row", async () => {
    const count = () => stores.sql("select id from audit_log where action = 'breaker.set'");
    const before = await count();
    await stores.faults.redis.set({ kind: "refuse" });
    const unavailable = { status: 503, code: "redis_unavailable" };
    expect(await call(breakers, "GET", { token })).toMatchObject(unavailable);
    expect(await set("open")).toMatchObject(unavailable);
    await stores.faults.redis.set(null);
    expect(await count()).toEqual(before);
  });

  it("changes nothing in a dry run, and returns 404 for an unknown service", async () => {
    expect((await set("open", "toolkit", true)).body).toMatchObject({ dryRun: true, undo: null });
    expect(await readBreaker()).toMatchObject({ setTo: "auto" });
    expect(await set("open", "another")).toMatchObject({ status: 404, code: "not_found" });
  });

  it("returns 403 for learners", async () => {
    const { accessToken } = await aUser();
    const answer = await call(breakers, "GET", { token: accessToken });
    expect(answer).toMatchObject({ status: 403, code: "forbidden" });
  });
});
