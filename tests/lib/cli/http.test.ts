import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { exchange, problemText } from "../../../lib/cli/http.js";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  ends.push(() => server.close());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const signIn = {
  method: "POST",
  path: "/api/auth/login",
  body: { email: "a@example.com", password: "the password", otp: "123456" },
  headers: { authorization: "Bearer secret" },
};

describe("exchange", () => {
  it.each([301, 302, 303, 307, 308])(
    "does not follow a %i redirect to another deployment",
    async (status) => {
      const seen: unknown[] = [];
      const other = await serve((request, response) => {
        seen.push(request.url);
        response.end("{}");
      });
      const named = await serve((_, response) => {
        response.writeHead(status, { location: `${other.origin}/api/auth/login?a=1` }).end();
      });
      await expect(exchange(named, signIn)).rejects.toMatchObject({
        name: "FailedError",
        message: `${named.origin} redirects to ${other.origin}. If that is the deployment, set it with --url.`,
      });
      expect(seen).toEqual([]);
    },
  );

  it.each([
    ["/elsewhere", "itself"],
    ["http://", "nowhere"],
  ])("reports the target of a redirect to %s", async (location, to) => {
    const named = await serve((_, response) => {
      response.writeHead(308, { location }).end();
    });
    const where = to === "itself" ? named.origin : location;
    await expect(exchange(named, signIn)).rejects.toThrow(`redirects to ${where}.`);
  });

  it("prints an error in one line without control characters", () => {
    const body = { detail: "no\u001b[2J\nrow", correlationId: "c\u009b" };
    expect(problemText({ status: 404, code: "not_found", body })).toBe(
      "404 not_found: no\\u001b[2J\\u000arow Correlation ID c\\u009b.",
    );
  });
});
