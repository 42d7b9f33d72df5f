import { readFileSync } from "node:fs";
import { parse } from "dotenv";
import { describe, expect, it } from "vitest";
import { readEnv } from "../../lib/env.js";
import { variables } from "../../lib/env-variables.js";

const text = readFileSync(".env.example", "utf8");
const lines = text.split("\n");
const compose = readFileSync("docker-compose.yml", "utf8");

describe(".env.example", () => {
  it("contains exactly the variables that the code and docker-compose.yml read, each once", () => {
    const names = lines.flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
    const ofCompose = [...compose.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => name);
    expect(ofCompose).toContain("POSTGRES_DATA");
    const read = new Set([...Object.keys(variables.shape), ...ofCompose]);
    expect([...names].sort()).toEqual([...read].sort());
  });

  it("leaves the default of docker-compose.yml to each variable that only it reads", () => {
    const values = Object.entries(parse(text)).filter(([name]) => !(name in variables.shape));
    expect(values.filter(([, value]) => value !== "")).toEqual([]);
    for (const [name] of values) expect(compose).toMatch(new RegExp(`\\$\\{${name}:[-?]`));
  });

  it("contains only comments, assignments and empty lines", () => {
    expect(lines.filter((line) => !/^(#.*|[A-Z][A-Z0-9_]*=\S*|)$/.test(line))).toEqual([]);
  });

  it("explains every variable in a comment above it", () => {
    const unexplained = lines.filter((line, at) => /^\w+=/.test(line) && !isExplained(at));
    expect(unexplained).toEqual([]);
  });

  it("ends in a newline, so that a line can be appended", () => {
    expect(text).toMatch(/[^\n]\n$/);
  });

  it("is valid without changes, with one warning about the example secret", () => {
    const env = readEnv(parse(text));
    expect(env).toMatchObject({ name: "development", port: 8080, log: { level: "DEBUG" } });
    expect(env.warnings).toEqual(["JWT_SECRET is an example value: not allowed in production."]);
  });

  it("shows the default value of each variable", () => {
    const { JWT_SECRET, NODE_ENV, LOG_LEVEL, CORS_ORIGIN, ...rest } = parse(text);
    const examples = variables.parse(
      Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "")),
    );
    const { LOG_SIGNING_KEY, EXPO_PUBLIC_LOG_SIGNING_KEY, ...byDefault } = examples;
    expect(byDefault).toEqual(variables.parse({}));
  });

  it("is rejected in production", () => {
    expect(() => readEnv({ ...parse(text), NODE_ENV: "production" })).toThrow("JWT_SECRET");
  });
});

/** A comment that is not a heading precedes the variable or its group. */
function isExplained(index: number): boolean {
  const heading = lines.lastIndexOf("", index);
  return lines.slice(heading + 1, index).some((line) => /^# (?!---)/.test(line));
}
