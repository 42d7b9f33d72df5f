import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { bundledOps, keepSession, opsInProcess } from "../../support/ops-command.js";

const token = "break-glass-token-of-the-tests-of-32-bytes";
const home = mkdtempSync(join(tmpdir(), "linguamate-target-"));
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A deployment that records the credentials it was sent. */
async function deployment(listener: RequestListener = (_, response) => response.end("{}")) {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    listener(request, response);
  });
  ends.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  await new Promise<void>((listening) => server.listen(0, "0.0.0.0", listening));
  return { seen, port: (server.address() as AddressInfo).port };
}

describe("OPS_TOKEN", () => {
  it.each([token, "ops_an_api_token"])(
    "is not sent to another deployment than OPS_URL, even over https: %s",
    async (OPS_TOKEN) => {
      const env = { HOME: home, OPS_TOKEN, OPS_URL: "https://api.example.com" };
      const elsewhere = ["flag", "--url", "https://192.0.2.2:6493", "--break-glass"];
      expect(await opsInProcess(elsewhere, { env })).toMatchObject({
        status: 2,
        error: expect.stringMatching(
          /^OPS_TOKEN is sent only to the deployment in OPS_URL and to this machine, not to https:\/\/192\.0\.2\.2:6493\./,
        ),
      });
    },
  );

  it("is not sent in clear text, even to OPS_URL, nor is a session or a password", async () => {
    const OPS_URL = "http://192.0.2.2:6493";
    const env = { HOME: home, OPS_TOKEN: token, OPS_URL };
    const refused = {
      status: 2,
      error: expect.stringMatching(/^Passwords and tokens are not sent to .* in clear text\./),
    };
    expect(await opsInProcess(["flag", "--break-glass"], { env })).toMatchObject(refused);
    expect(await opsInProcess(["login"], { env, stdin: ["a@example.com", "pw"] })).toMatchObject(
      refused,
    );
    keepSession(home, OPS_URL, "an.access.token");
    const signedIn = { XDG_CONFIG_HOME: home, OPS_URL };
    expect(await opsInProcess(["flag"], { env: signedIn })).toMatchObject(refused);
  });

  it("is sent to this machine", async () => {
    const { seen, port } = await deployment();
    const env = { HOME: home, OPS_TOKEN: token };
    for (const host of ["127.0.0.1", "localhost"]) {
      await opsInProcess(["flag", "--break-glass", "--url", `http://${host}:${port}`], { env });
    }
    expect(seen).toEqual([`Bearer ${token}`, `Bearer ${token}`]);
  });

  it("is reported as sent only if it may have arrived", async () => {
    const env = { HOME: home, OPS_TOKEN: token };
    const flag = (port: number) =>
      opsInProcess(["flag", "--break-glass", "--url", `http://127.0.0.1:${port}`], { env });
    const closed = await flag(1024);
    expect(closed.error).toContain("connection refused");
    expect(closed.error).not.toContain("OPS_TOKEN");
    const hanging = await deployment((request) => request.socket.destroy());
    expect((await flag(hanging.port)).error).toContain("OPS_TOKEN may have been sent");
    const redirecting = await deployment((_, response) =>
      response.writeHead(302, { location: "https://example.com" }).end(),
    );
    expect((await flag(redirecting.port)).error).toContain("OPS_TOKEN was sent");
  });

  it("is not taken from the server's .env", async () => {
    const { seen, port } = await deployment();
    const folder = mkdtempSync(join(home, "server-"));
    writeFileSync(join(folder, ".env"), `OPS_TOKEN=${token}\nOPS_URL=http://127.0.0.1:${port}\n`);
    const run = (env: Record<string, string>, ...more: string[]) =>
      bundledOps(["flag", ...more], { env: { HOME: home, ...env }, cwd: folder });
    await run({});
    expect(seen).toEqual([undefined]);
    expect(await run({}, "--break-glass")).toMatchObject({
      status: 2,
      error: expect.stringContaining("--break-glass needs the token in OPS_TOKEN."),
    });
    await run({ OPS_TOKEN: "typed" }, "--break-glass");
    expect(seen).toEqual([undefined, "Bearer typed"]);
  }, 60_000);
});
