import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import guest from "../../../api/auth/guest.js";
import refresh from "../../../api/auth/refresh.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const create = (body: Record<string, unknown> = {}, ip?: string) =>
  call(guest, "POST", { body, ...(ip === undefined ? {} : { ip }) });

describe("POST /api/auth/guest", () => {
  it("creates an account without an address and signs it in", async () => {
    const { status, body } = await create({ timeZone: "Europe/Madrid", targetLanguage: "es-es" });
    expect(status).toBe(201);
    expect(body.user).toMatchObject({
      email: null,
      emailVerified: false,
      name: "Guest",
      role: "user",
      timeZone: "Europe/Madrid",
      targetLanguage: "es-ES",
    });
    expect((await call(user, "GET", { token: body.accessToken })).body).toEqual(body.user);
    const [row] = await stores.sql("select * from users where id = $1", body.user.id);
    expect(row).toMatchObject({ is_guest: "t", password_hash: null, claimed_email: null });
  });

  it("needs no body", async () => {
    expect((await call(guest, "POST")).status).toBe(201);
  });

  it("keeps the session alive while it is used at least every 400 days", async () => {
    const { body } = await create();
    expect(body.refreshExpiresIn).toBe(400 * 86_400);
    const [row] = await stores.sql("select * from sessions where id = $1", body.sessionId);
    expect(row).toMatchObject({ expires_at: null, auth_methods: "{}" });
    const key = `session:${body.sessionId}`;
    expect(Number(await stores.redis("TTL", key))).toBeGreaterThan(399 * 86_400);
    const next = await call(refresh, "POST", { body: { refreshToken: body.refreshToken } });
    expect(next.body.refreshExpiresIn).toBe(400 * 86_400);
  });

  it("costs 2 Redis round trips and 1 Postgres call, and sends no mail", async () => {
    await stores.resetCalls();
    await create();
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 1 });
    expect(await stores.sql("select from queue_entries")).toEqual([]);
  });

  it.each([
    ["an unknown field", { email: "ada@example.com" }, "/email"],
    ["an unknown time zone", { timeZone: "Mars/Olympus" }, "/timeZone"],
    ["a device without an id", { device: { name: "Pixel" } }, "/device/id"],
  ])("returns 422 for %s with a pointer to the field", async (_, body, pointer) => {
    const answer = await create(body);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toMatchObject([{ pointer }]);
  });

  it("limits one device to ten accounts a day from any address", async () => {
    const device = { id: randomUUID() };
    for (let index = 0; index < 10; index++) {
      expect((await create({ device }, `203.0.113.${index}`)).status).toBe(201);
    }
    const refused = await create({ device }, "203.0.113.99");
    expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
  });

  it.each(["with Redis", "without Redis"])(
    "limits one IP address to sixty accounts an hour, %s",
    async (mode) => {
      const ip = mode === "with Redis" ? "203.0.113.101" : "203.0.113.102";
      if (mode === "without Redis") await stores.faults.redis.set({ kind: "refuse" });
      const answers = [];
      for (let index = 0; index < 61; index++) answers.push((await create({}, ip)).status);
      expect(answers).toEqual([...Array(60).fill(201), 429]);
    },
  );

  it("returns 503 while Postgres is unavailable and creates no account", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await create()).toMatchObject({ status: 503, code: "service_unavailable" });
  });
});
