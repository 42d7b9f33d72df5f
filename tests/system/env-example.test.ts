import { readFileSync } from "node:fs";
import { parse } from "dotenv";
import { describe, expect, it } from "vitest";
import { readEnv, variables } from "../../lib/env.js";

const text = readFileSync(".env.example", "utf8");
const lines = text.split("\n");

describe(".env.example", () => {
  it("holds every variable that the code reads, once, and no other", () => {
    const named = lines.flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
    expect([...named].sort()).toEqual(Object.keys(variables.shape).sort());
  });

  it("holds nothing but explanations, assignments and empty lines", () => {
    expect(lines.filter((line) => !/^(#.*|[A-Z][A-Z0-9_]*=\S*|)$/.test(line))).toEqual([]);
  });

  it("explains every variable above it", () => {
    const unexplained = lines.filter((line, at) => /^\w+=/.test(line) && !isExplained(at));
    expect(unexplained).toEqual([]);
  });

  it("ends in a newline, so that a line can be appended", () => {
    expect(text).toMatch(/[^\n]\n$/);
  });

  it("works as it is, with one warning about its secret", () => {
    const env = readEnv(parse(text));
    expect(env).toMatchObject({ name: "development", port: 8080, log: { level: "DEBUG" } });
    expect(env.warnings).toEqual(["JWT_SECRET is an example value: not allowed in production."]);
  });

  it("states the value that a variable has when it is not set", () => {
    const { JWT_SECRET, NODE_ENV, LOG_LEVEL, CORS_ORIGIN, ...rest } = parse(text);
    const stated = variables.parse(
      Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== "")),
    );
    const { LOG_SIGNING_KEY, EXPO_PUBLIC_LOG_SIGNING_KEY, ...byDefault } = stated;
    expect(byDefault).toEqual(variables.parse({}));
  });

  it("is no set of values that production takes", () => {
    expect(() => readEnv({ ...parse(text), NODE_ENV: "production" })).toThrow("JWT_SECRET");
  });
});

/** A comment, and no mere heading, stands above it or above the group that it belongs to. */
function isExplained(index: number): boolean {
  const heading = lines.lastIndexOf("", index);
  return lines.slice(heading + 1, index).some((line) => /^# (?!---)/.test(line));
}
