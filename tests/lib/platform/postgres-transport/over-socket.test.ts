import { describe, expect, it } from "vitest";
import { postgresOverSocket } from "../../../../lib/platform/postgres-transport/over-socket.js";

describe("Postgres over a socket, without a server", () => {
  it("rejects at once with the address and without the password", async () => {
    const { fetch, close } = postgresOverSocket("postgresql://me:hidden@127.0.0.1:1/nowhere", {
      deadlineMs: 2000,
    });
    const answer = fetch("", {
      method: "POST",
      headers: { "Neon-Raw-Text-Output": "true" },
      body: '{"query":"SELECT 1"}',
    });
    const error: Error = await answer.then(
      () => new Error("it answered"),
      (thrown) => thrown,
    );
    expect(error.message).toMatch(/^Postgres at 127\.0\.0\.1:1 is unreachable: .*ECONNREFUSED/);
    expect(error.message).not.toContain("hidden");
    await close();
  });
});
