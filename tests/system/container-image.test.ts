import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyBuiltProject } from "../support/project-copy.js";
import { startServerProcess } from "../support/server-process.js";

const lines = readFileSync("Dockerfile", "utf8").split("\n");
const copied = lines.flatMap((line) => /^COPY --from=build \/app\/(\S+) \1$/.exec(line)?.[1] ?? []);
const [, ...command]: string[] = JSON.parse(
  lines.find((line) => line.startsWith("CMD "))?.slice("CMD ".length) ?? "",
);

describe("the files of the container image, in an empty folder", () => {
  const project = copyBuiltProject();
  const image = mkdtempSync(join(tmpdir(), "image-"));

  beforeAll(() => {
    for (const path of copied) {
      mkdirSync(join(image, path, ".."), { recursive: true });
      cpSync(join(project.root, path), join(image, path), { recursive: true });
    }
  });
  afterAll(() => {
    project.remove();
    rmSync(image, { recursive: true, force: true, maxRetries: 5 });
  });

  it("run in production with embedded stores, and keep the data across a restart", async () => {
    const environment = {
      NODE_ENV: "production",
      EMBEDDED_STORES: "true",
      JWT_SECRET: "k7".repeat(32),
      DATA_KEY: "d7".repeat(32),
      RESEND_API_KEY: "re_some",
    };
    const first = await startServerProcess(image, command, environment);
    const guest = await fetch(`${first.url}/api/auth/guest`, {
      method: "POST",
      body: "{}",
      headers,
    });
    expect(guest.status).toBe(201);
    const { accessToken } = (await guest.json()) as { accessToken: string };
    expect(await first.stop()).toBe(0);

    const second = await startServerProcess(image, command, environment);
    const authorization = `Bearer ${accessToken}`;
    const user = await fetch(`${second.url}/api/user`, { headers: { authorization } });
    expect(user.status).toBe(200);
    expect(await second.stop()).toBe(0);
  }, 60_000);
});

const headers = { "content-type": "application/json" };
