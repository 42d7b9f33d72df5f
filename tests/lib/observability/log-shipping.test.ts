import { readFileSync } from "node:fs";
import { parse as parseEnv } from "dotenv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import index from "../../../api/index.js";
import { logLevels } from "../../../lib/env-variables.js";
import { log } from "../../../lib/observability/logger.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "trace" });
const logs = useLogLines();
const read = (name: string) => readFileSync(`docs/log-shipping/${name}`, "utf8");
const vector = parse(read("vector.yaml"));
const program: string = vector.transforms.lines.source;

/** Days of retention per level in .env.example. FATAL has no variable of its own. */
const env = parseEnv(readFileSync(".env.example", "utf8"));
const days = (level: string) =>
  Number(env[`LOG_RETENTION_DAYS_${level === "FATAL" ? "ERROR" : level}`]);

/** The program's table of levels, which is written as JSON. */
function levelTable(): Record<string, { status: string; keep: string }> {
  return JSON.parse(/levels = (\{.*?\n\})/s.exec(program)?.[1] ?? "");
}

/** The field paths of a real log line, in the program's notation. */
async function pathsOfRealLines(): Promise<Set<string>> {
  await call(index, "GET");
  return new Set(logs.read().flatMap((line) => pathsIn(line)));
}

function pathsIn(value: object, above = ""): string[] {
  return Object.entries(value).flatMap(([name, part]) => {
    const path = `${above}.${name}`;
    return [path, ...(typeof part === "object" && part !== null ? pathsIn(part, path) : [])];
  });
}

describe("docs/log-shipping/vector.yaml", () => {
  it("connects only existing parts", () => {
    const named = Object.keys({ ...vector.sources, ...vector.transforms });
    const inputs = Object.values({ ...vector.transforms, ...vector.sinks } as object).flatMap(
      ({ inputs }) => inputs,
    );
    expect(new Set(inputs)).toEqual(new Set(named));
    expect(Object.values(vector.sinks as object).map(({ type }) => type)).toEqual([
      "loki",
      "elasticsearch",
      "datadog_logs",
    ]);
    expect(Object.values(vector.sources as object).map(({ type }) => type)).toEqual([
      "stdin",
      "http_server",
    ]);
  });

  it("uses only fields that real lines have", async () => {
    const real = await pathsOfRealLines();
    const made = [...program.matchAll(/^(\.\w+) =/gm)].map(([, path]) => path);
    const usedPaths = [...program.matchAll(/(?<![\w)\]])(\.[a-z][\w.]*)/gi)].map(
      ([, path]) => path,
    );
    const fromSource = [".message"];
    expect(usedPaths).toEqual(
      expect.arrayContaining([".time", ".level", ".corr.correlationId", ".msg"]),
    );
    expect(
      usedPaths.filter(
        (path) => path && !real.has(path) && ![...made, ...fromSource].includes(path),
      ),
    ).toEqual([]);
    const templates = [...read("vector.yaml").matchAll(/\{\{ (\w+) \}\}/g)].map(
      ([, name]) => `.${name}`,
    );
    expect(templates).not.toEqual([]);
    expect(templates.filter((path) => !real.has(path) && !made.includes(path))).toEqual([]);
  });

  it("sets every field of the sinks' templates in its own lines", () => {
    const own = /\?\? (\{"level".*?\})\n/.exec(program)?.[1] ?? "";
    const fields = [...own.matchAll(/"(\w+)":/g)].map(([, name]) => name);
    expect(fields).toEqual(expect.arrayContaining(["level", "env", "cat", "msg"]));
  });

  it("has the eight levels as written in lines", () => {
    for (const level of logLevels) log(level, { evt: "level", cat: "test" }, "A level");
    const written = logs.read("level").map(({ level }) => level);
    expect(Object.keys(levelTable())).toEqual(written);
    expect(written).toHaveLength(8);
  });

  it("uses only labels with few values", () => {
    expect(Object.keys(vector.sinks.loki.labels).sort()).toEqual([
      "cat",
      "env",
      "level",
      "service",
    ]);
  });

  it("contains variable names, but no secrets", () => {
    const secrets = [
      vector.sources.vercel.auth.password,
      vector.sinks.datadog.default_api_key,
      vector.sinks.loki.endpoint,
      ...vector.sinks.opensearch.endpoints,
    ];
    for (const secret of secrets) expect(secret).toMatch(/^\$\{[A-Z_]+\}$/);
  });
});

describe("the retention examples", () => {
  it("configure Loki with the days in .env.example", () => {
    const loki = parse(read("loki-retention.yaml"));
    expect(loki.compactor.retention_enabled).toBe(true);
    const kept: Record<string, number> = {};
    for (const { selector, period } of loki.limits_config.retention_stream) {
      expect(selector).toContain('service="linguamate-backend"');
      const levels = /level=~?"([A-Z|]+)"/.exec(selector)?.[1]?.split("|") ?? [];
      const [, count, unit] = /^(\d+)([dh])$/.exec(period) ?? [];
      for (const level of levels) kept[level] = Number(count) / (unit === "h" ? 24 : 1);
    }
    expect(kept).toEqual(Object.fromEntries(logLevels.map((level) => [level, days(level)])));
  });

  it("configure OpenSearch with the days in .env.example", () => {
    const policies = JSON.parse(read("opensearch-retention.json"));
    const index: string = vector.sinks.opensearch.bulk.index;
    for (const level of logLevels) {
      const keep = levelTable()[level]?.keep ?? "";
      const { policy } = policies[`linguamate-${keep}`];
      const [pattern] = policy.ism_template[0].index_patterns;
      const name = index.replace("{{ keep }}", keep).replace("%Y.%m.%d", "2026.01.31");
      expect(name.startsWith(pattern.replace("*", ""))).toBe(true);
      const [{ transitions }] = policy.states;
      expect(transitions[0].conditions.min_index_age).toBe(`${days(level)}d`);
      expect(transitions[0].state_name).toBe(policy.states[1].name);
      expect(policy.states[1].actions).toEqual([{ delete: {} }]);
    }
    const used = new Set(Object.values(levelTable()).map(({ keep }) => `linguamate-${keep}`));
    expect(new Set(Object.keys(policies))).toEqual(used);
  });

  it("configure Datadog with the days in .env.example", () => {
    const indexes: { filter: { query: string }; num_retention_days: number }[] = JSON.parse(
      read("datadog-indexes.json"),
    );
    for (const level of logLevels) {
      const of = indexes.filter(({ filter }) => new RegExp(`\\b${level}\\b`).test(filter.query));
      expect(of.map((each) => each.num_retention_days)).toEqual([days(level)]);
    }
  });
});
