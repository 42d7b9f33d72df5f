import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { buildOutput } from "../../dev/build/output.js";
import { releaseOf } from "../../dev/build/release.js";
import { copyBuiltProject } from "../support/project-copy.js";
import { builtServer, startServerProcess } from "../support/server-process.js";
import { putEmbeddedPostgres } from "../support/snapshots.js";

describe("the release of a build", () => {
  let root: string;
  const git = (...args: string[]) => {
    const author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
    return execFileSync("git", [...author, ...args], { cwd: root, encoding: "utf8" }).trim();
  };
  const commit = (message: string) => git("commit", "--quiet", "--allow-empty", "-m", message);

  beforeEach(() => {
    vi.stubEnv("VERCEL_GIT_COMMIT_SHA", "");
    vi.stubEnv("GIT_COMMIT_SHA", "");
    root = mkdtempSync(join(tmpdir(), "release-"));
    mkdirSync(join(root, "api"));
    mkdirSync(join(root, "public"));
    writeFileSync(join(root, "package.json"), `{ "type": "module" }`);
    writeFileSync(join(root, "vercel.json"), "{}");
    writeFileSync(join(root, ".gitignore"), ".vercel\nnode_modules\n");
    writeFileSync(join(root, "api/one.ts"), `import "../shared.js";\nexport default {};`);
    writeFileSync(join(root, "api/two.ts"), `import "../shared.js";\nexport default {};`);
    writeFileSync(join(root, "shared.ts"), "globalThis.shared = 1;");
    symlinkSync(resolve("node_modules"), join(root, "node_modules"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true, force: true });
  });
  const checkOut = () => {
    git("init", "--quiet");
    git("add", ".");
    commit("first");
  };

  it("is the commit of the checkout and its date", () => {
    checkOut();
    const { sha, committedAt } = releaseOf(root);
    expect(sha).toBe(git("rev-parse", "HEAD"));
    expect(Date.now() - new Date(committedAt ?? "").getTime()).toBeLessThan(60_000);
  });

  it.each(["shared.ts", "new.ts"])("is marked as dirty with an uncommitted %s", (file) => {
    checkOut();
    writeFileSync(join(root, file), "changed");
    expect(releaseOf(root).sha).toBe(`${git("rev-parse", "HEAD")}-dirty`);
  });

  it("is the commit that the build's environment names, or unknown, without a checkout", () => {
    expect(releaseOf(root)).toEqual({ sha: "unknown", committedAt: null });
    vi.stubEnv("GIT_COMMIT_SHA", "abc");
    expect(releaseOf(root).sha).toBe("abc");
    vi.stubEnv("VERCEL_GIT_COMMIT_SHA", "def");
    expect(releaseOf(root).sha).toBe("def");
  });

  it("is not the commit of another checkout around the folder", () => {
    git("init", "--quiet");
    commit("without these files");
    expect(releaseOf(root).sha).toBe("unknown");
  });

  it("is beside the code of each function, and does not change the code", async () => {
    checkOut();
    const built = async () => {
      const { release } = await buildOutput(root);
      const output = join(root, ".vercel");
      const files = readdirSync(output, { recursive: true, encoding: "utf8" });
      const text = (file: string) => readFileSync(join(output, file), "utf8");
      const scripts = files.filter((file) => file.endsWith(".mjs")).sort();
      const releases = files.filter((file) => file.endsWith("release.json"));
      expect(releases.map((file) => JSON.parse(text(file)))).toEqual(Array(3).fill(release));
      return { release, scripts: scripts.map((file) => [file, text(file)]) };
    };
    const first = await built();
    commit("second");
    const second = await built();
    expect(second.release.sha).not.toBe(first.release.sha);
    expect(second.scripts).toEqual(first.scripts);
  });
});

describe("the built server", () => {
  const project = copyBuiltProject();
  beforeAll(() => putEmbeddedPostgres(join(project.root, ".local")));
  afterAll(() => project.remove());
  const written = {
    sha: "0123456789abcdef0123456789abcdef01234567-dirty",
    committedAt: "2026-11-30T10:00:00Z",
  };
  const secrets = {
    NODE_ENV: "production",
    JWT_SECRET: "a-secret-of-a-release-with-32-bytes-or-more",
    METRICS_TOKEN: "metrics-token-of-a-release-with-32-bytes",
    EMBEDDED_STORES: "true",
  };

  it.each([
    ["the release that was built", {}, written.sha],
    ["GIT_COMMIT_SHA instead", { GIT_COMMIT_SHA: "named" }, "named"],
    [
      "VERCEL_GIT_COMMIT_SHA before all",
      { GIT_COMMIT_SHA: "named", VERCEL_GIT_COMMIT_SHA: "deployed" },
      "deployed",
    ],
  ])(
    "names %s in health, build_info and its first and last log line",
    async (_, variables, sha) => {
      writeFileSync(join(project.root, ".vercel/functions/release.json"), JSON.stringify(written));
      const server = await startServerProcess(project.root, builtServer, {
        ...secrets,
        ...variables,
      });
      const health: unknown = await (await fetch(`${server.url}/api/health`)).json();
      expect(health).toMatchObject({ releaseId: sha });
      const headers = { authorization: `Bearer ${secrets.METRICS_TOKEN}` };
      const metrics = await (await fetch(`${server.url}/api/metrics`, { headers })).text();
      expect(metrics).toMatch(new RegExp(`^build_info\\{.*sha="${sha}"`, "m"));
      expect(await server.stop()).toBe(0);
      const lines = server
        .output()
        .split("\n")
        .filter((line) => line.includes('"cat":"server"'));
      const committedAt = sha === written.sha ? written.committedAt : null;
      for (const event of ["server_started", "server_stopped"]) {
        const line = JSON.parse(lines.find((text) => text.includes(event)) ?? "{}");
        expect(line).toMatchObject({ evt: event, data: { sha, committedAt } });
        expect(line.msg).toContain(sha);
      }
    },
    60_000,
  );
});
