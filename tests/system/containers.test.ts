import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const read = (path: string) => readFileSync(path, "utf8");
const { scripts, engines } = JSON.parse(read("package.json"));

describe("the container image", () => {
  const stages = read("Dockerfile")
    .replace(/\\\n\s*/g, "")
    .split(/^(?=FROM )/m)
    .map((stage) => stage.split("\n").filter((line) => line && !line.startsWith("#")));
  const [build = [], image = []] = stages;
  const linesOf = (stage: string[], instruction: string) =>
    stage.filter((line) => line.startsWith(`${instruction} `));

  it("is built in two stages on Node.js 22, as on the platform", () => {
    expect(stages).toHaveLength(2);
    expect(build[0]).toBe("FROM node:22-bookworm-slim AS build");
    expect(image[0]).toBe("FROM node:22-bookworm-slim");
  });

  it("contains the build output, and neither sources nor development packages", () => {
    const copied = linesOf(image, "COPY").map((line) => line.split(" ").at(-1));
    expect(copied).toEqual([
      ".vercel/functions",
      ".vercel/output/config.json",
      ".vercel/output/static",
      ".vercel/self-hosted",
      "lib/self-hosted/start.mjs",
      "drizzle",
    ]);
    expect(linesOf(image, "COPY").every((line) => line.includes("--from=build"))).toBe(true);
    const commands = linesOf(image, "RUN").map((line) => line.split(" ")[1]);
    expect(commands).toEqual(["apt-get", "install"]);
  });

  it("has the programs of the version of the server, for backups and restore drills", () => {
    const [, server] = /image: postgres:(\d+)$/m.exec(read("docker-compose.yml")) ?? [];
    expect(linesOf(image, "RUN")[0]).toContain(
      ` postgresql-client-${server} postgresql-${server} `,
    );
  });

  it("runs as an unprivileged user and has a health check", () => {
    expect(linesOf(image, "USER")).toEqual(["USER node"]);
    const check = linesOf(image, "HEALTHCHECK")[0] ?? "";
    const [, script = ""] = JSON.parse(check.slice(check.indexOf("[", check.indexOf("CMD")))).slice(
      1,
    );
    expect(script).toContain("/api/livez");
    expect(() => new Function(script)).not.toThrow();
    expect(existsSync("api/livez.ts")).toBe(true);
  });

  it("starts with the backend:start command, and is built by scripts that exist", () => {
    const [command = ""] = linesOf(image, "CMD");
    const words: string[] = JSON.parse(command.slice("CMD ".length));
    expect(`exec ${words.join(" ")}`).toBe(scripts["backend:start"]);
    expect(existsSync(words.at(-1) ?? "")).toBe(true);
    for (const line of linesOf(build, "RUN")) {
      const script = /^RUN npm run (\S+)$/.exec(line)?.[1];
      expect(line === "RUN npm ci" || scripts[script ?? ""]).toBeTruthy();
    }
  });

  it("excludes secrets and local state from the build", () => {
    const ignored = read(".dockerignore").split("\n");
    expect(ignored).toEqual(
      expect.arrayContaining([".env", ".git", ".local", ".vercel", "node_modules"]),
    );
  });
});

describe("docker-compose.yml", () => {
  const { services, volumes } = parse(read("docker-compose.yml"), { merge: true });

  it("runs the release of TAG from REGISTRY, after its migrations", () => {
    expect(services.backend.image).toMatch(
      /^\$\{REGISTRY:-docker\.io\}\/linguamate\/backend:\$\{TAG:-latest\}$/,
    );
    for (const name of ["migrate", "backup"]) {
      expect(services[name].image).toBe(services.backend.image);
    }
    expect(services.backend.depends_on.migrate.condition).toBe("service_completed_successfully");
    expect(services.migrate.command).toEqual(["node", ".vercel/self-hosted/migrate.mjs", "up"]);
    expect(services.migrate.depends_on.postgres.condition).toBe("service_healthy");
    expect(services.backend.depends_on.redis.condition).toBe("service_healthy");
  });

  it("keeps the stores private, with health checks and persistent data", () => {
    for (const name of ["postgres", "redis"]) {
      expect(services[name].ports).toBeUndefined();
      expect(services[name].healthcheck.test[0]).toBe("CMD");
      const [volume] = services[name].volumes[0].split(":");
      expect(Object.keys(volumes)).toContain(volume);
    }
    expect(services.postgres.image).toBe("postgres:15");
    expect(services.redis.image).toBe("redis:7");
    expect(services.redis.command.join(" ")).toContain(
      "--appendonly yes --maxmemory-policy noeviction",
    );
  });

  it("archives WAL into a folder that the backup service empties, with the same image and user", () => {
    const { postgres, backup, volumes: preparing } = services;
    expect(postgres.command.join(" ")).toContain("-c archive_mode=on");
    const archive = postgres.command.at(-1);
    expect(archive).toBe('archive_command=sh /wal/.archive-wal.sh "%p" "%f" /wal');
    const script = preparing.volumes.find(({ type }: { type?: string }) => type === "bind");
    expect(script).toMatchObject({ read_only: true, bind: { create_host_path: false } });
    expect(existsSync(script.source)).toBe(true);
    expect(preparing.command.at(-1)).toContain(`${script.target} /wal/.archive-wal.sh`);
    expect(postgres.depends_on.volumes.condition).toBe("service_completed_successfully");
    for (const volume of [
      "wal:/wal",
      "restored:/restored",
      "postgres-socket:/var/run/postgresql",
    ]) {
      expect(postgres.volumes).toContain(volume);
      expect(backup.volumes).toContain(volume);
    }
    expect(backup.image).toBe(services.backend.image);
    expect(backup.environment.BACKUP_WAL_DIR).toBe("/wal");
    // The rest of its file system is read-only.
    expect(backup.volumes).toContain(`restored:${backup.environment.TMPDIR}`);
    expect(backup.command.slice(-2)).toEqual([".vercel/self-hosted/backup.mjs", "run"]);
    const { DATABASE_URL } = backup.environment;
    expect(new URL(DATABASE_URL.replace("@/", "@socket/")).searchParams.get("host")).toBe(
      "/var/run/postgresql",
    );
  });

  it("gives the backup key and the credentials of its store to the backup service only", () => {
    const ofBackups = Object.keys(parseEnv(read(".env.example"))).filter((name) =>
      /^(BACKUP_(KEY|WAL)|AWS_)/.test(name),
    );
    expect(ofBackups).toEqual(
      expect.arrayContaining(["BACKUP_KEY", "BACKUP_KEY_PREVIOUS", "AWS_SECRET_ACCESS_KEY"]),
    );
    const inFile = Object.fromEntries(ofBackups.map((name) => [name, "set in .env"]));
    for (const name of Object.keys(services).filter((one) => one !== "backup")) {
      const { env_file, environment } = services[name];
      // As Compose does: `environment` replaces what is in the file.
      const effective = { ...(env_file ? inFile : {}), ...environment };
      expect(ofBackups.filter((variable) => effective[variable])).toEqual([]);
    }
    // Without credentials in it: the server only tells by it that another process checks the backups.
    expect(services.backend.environment.BACKUP_URL).toBe(services.backup.environment.BACKUP_URL);
  });

  it("connects to each store by its service name", () => {
    const { DATABASE_URL, REDIS_URL } = services.backend.environment;
    expect(services).toHaveProperty(new URL(DATABASE_URL.replace(/\$\{.*?\}/, "x")).hostname);
    expect(services).toHaveProperty(new URL(REDIS_URL).hostname);
  });

  it("gives the server more time to stop than the drain takes", () => {
    expect(Number.parseInt(services.backend.stop_grace_period, 10)).toBeGreaterThan(10);
  });
});

describe("the CI workflow", () => {
  const { check } = parse(read(".github/workflows/ci.yml")).jobs;
  const commands: string[] = check.steps.flatMap(({ run }: { run?: string }) => run ?? []);

  it("runs on every supported Node.js version, with real stores", () => {
    expect(check.strategy.matrix.node).toEqual([20, 22, 24]);
    expect(engines.node).toBe(">=20.19");
    expect(Object.keys(check.services)).toEqual(["postgres", "redis"]);
  });

  it("installs Prometheus, which some tests need", () => {
    expect(commands).toContainEqual(
      expect.stringMatching(/^sudo apt-get .* install .*prometheus$/),
    );
    expect(read(".ci/run")).toContain("apt-get install -y -qq --no-install-recommends prometheus");
  });

  it("runs scripts that exist", () => {
    for (const command of commands.filter((line) => /^npm (?!ci$)/.test(line))) {
      expect(scripts).toHaveProperty([command.replace(/^npm (run )?/, "")]);
    }
  });
});

describe("the release workflow", () => {
  const { on, jobs } = parse(read(".github/workflows/release.yml"));
  const { env, steps } = jobs.release;
  const commands: string[] = steps.flatMap(({ run }: { run?: string }) => run ?? []);

  it("runs for tags of a version only", () => {
    expect(on).toEqual({ push: { tags: ["v*.*.*"] } });
  });

  it("releases the tag with a script that exists, to the registry of the settings", () => {
    expect(scripts).toHaveProperty("release");
    expect(commands.at(-1)).toBe('npm run release -- "$GITHUB_REF_NAME"');
    expect(env.REGISTRY).toMatch(/^\$\{\{ vars\.REGISTRY \}\}$/);
  });

  it("gives the password of the registry only to the step that logs in, on standard input", () => {
    const holders = steps.filter((step: object) => JSON.stringify(step).includes("secrets."));
    expect(holders).toHaveLength(1);
    expect(holders[0].run).toMatch(/\| docker login .* --password-stdin$/);
  });
});
