import { describe, expect, it } from "vitest";
import { hostAndPortOf, isDatabaseUrl, isNeonDriverUrl } from "../../lib/database-url.js";
import { readEnv } from "../../lib/env.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";

const folder = "/var/run/postgresql";

describe("a database URL", () => {
  it.each([
    ["postgresql://app:secret@127.0.0.1:5432/app", "127.0.0.1:5432"],
    ["postgres://app:secret@db.example.com/app", "db.example.com"],
    ["postgresql:///app", "localhost"],
    [`postgresql:///app?host=${folder}`, folder],
    [`postgresql://app:secret@/app?host=${folder}&port=5433`, `${folder}:5433`],
    [`postgresql://app:secret@localhost/app?host=${folder}`, folder],
    ["postgresql://app:secret@%2Fvar%2Frun%2Fpostgresql/app", folder],
    ["postgresql://app:secret@%2Fvar%2Frun%2Fpostgresql:5433/app", `${folder}:5433`],
  ])("%s is accepted and shown without credentials", (url, place) => {
    expect(isDatabaseUrl(url)).toBe(true);
    expect(hostAndPortOf(url)).toBe(place);
  });

  it.each([
    "mysql://app:secret@127.0.0.1/app",
    "postgresql:/app:secret",
    "postgresql://app:secret@127.0.0.1:port/app",
    "app:secret@127.0.0.1/app",
  ])("%s is refused without showing it in the message", (url) => {
    const variables = { JWT_SECRET: "k7".repeat(32), DATABASE_URL: url };
    expect(messageOf(() => readEnv(variables))).toMatch(
      /DATABASE_URL: must be a postgresql:\/\/ URL$/,
    );
    const connect = () => connectForMigrations({ connectionString: url });
    expect(messageOf(connect)).toBe("DATABASE_URL must be a postgresql:// URL");
  });

  it.each([
    ["postgresql://app:secret@ep-cool.eu.aws.neon.tech/app", true],
    ["postgresql://app:secret@ep-cool.eu.aws.neon.tech", false],
    ["postgresql://ep-cool.eu.aws.neon.tech/app", false],
    [`postgresql://app:secret@/app?host=${folder}`, false],
    ["postgresql://app:secret@%2Fvar%2Frun%2Fpostgresql/app", false],
  ])("%s can be used over HTTPS: %s", (url, expected) => {
    expect(isNeonDriverUrl(url)).toBe(expected);
  });

  it("of Neon with a missing part is refused before the driver shows it", () => {
    const connectionString = "postgresql://app:secret@ep-cool.eu.aws.neon.tech";
    expect(messageOf(() => connectForMigrations({ connectionString }))).toBe(
      "DATABASE_URL must contain a user, a host and a database to be used over HTTPS",
    );
  });
});

function messageOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
