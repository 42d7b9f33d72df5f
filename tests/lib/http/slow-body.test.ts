import { decodeJwt } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aBoundUser, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const minutes = 60_000;

/** A body that takes this long, with an action before its end. */
function slowBody(body: unknown, ms: number, during: () => Promise<unknown> = async () => {}) {
  return new ReadableStream(
    {
      async pull(controller) {
        await during();
        const now = performance.now.bind(performance);
        vi.spyOn(performance, "now").mockImplementation(() => now() + ms);
        vi.setSystemTime(Date.now() + ms);
        controller.enqueue(Buffer.from(JSON.stringify(body)));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a body that takes minutes to arrive", () => {
  it("changes nothing when the session ended before its end", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { accessToken: token } = await aUser({ name: "Grace" });
    const body = slowBody({ name: "Ada" }, 2 * minutes, () => call(logout, "POST", { token }));
    expect(await call(user, "PATCH", { token, body })).toMatchObject({
      status: 401,
      code: "session_revoked",
    });
  });

  it("is accepted while the session is live, with two more statements", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { accessToken: token } = await aUser({ name: "Grace" });
    await stores.resetCalls();
    const body = slowBody({ name: "Ada" }, 2 * minutes);
    const { status, body: changed } = await call(user, "PATCH", { token, body });
    expect([status, changed.name]).toEqual([200, "Ada"]);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 3 });
  });

  it("creates a session with the time at the end of the body", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { email, password } = await aBoundUser(stores);
    const credentials = { email, password, device: { id: "slow-device" } };
    const { status, body } = await call(login, "POST", {
      body: slowBody(credentials, 4 * minutes),
    });
    expect(status).toBe(200);
    const ageMs = Date.now() - (decodeJwt(body.accessToken).iat ?? 0) * 1000;
    expect(ageMs).toBeLessThan(1 * minutes);
  });
});
