import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";
import { packageFiles } from "./package-files.js";

/** Files of packages that are imported for features which no function uses. */
const unusedFiles = [
  // Worker threads, several streams and redaction of a log.
  "thread-stream/index.js",
  "pino/lib/transport.js",
  "pino/lib/multistream.js",
  "@pinojs/redact/index.js",
  // Clusters and sentinels of Redis.
  "ioredis/built/cluster/index.js",
  "ioredis/built/connectors/SentinelConnector/index.js",
  // Analytics of rate limits.
  "@upstash/core-analytics/dist/index.js",
  // Relations and `db.query`, and the column types of a `pgTable` that is given a function.
  "drizzle-orm/relations.js",
  "drizzle-orm/pg-core/query-builders/query.js",
  "drizzle-orm/pg-core/columns/all.js",
];

/** Each export of these files is undefined. */
export const withoutUnusedFiles: Plugin = {
  name: "without-unused-files",
  setup(build) {
    build.onLoad({ filter: packageFiles(unusedFiles) }, async ({ path }) => {
      const [, names] = /^export \{([^}]*)\}/m.exec(await readFile(path, "utf8")) ?? [];
      if (names === undefined) return { contents: "module.exports = {};" };
      return { contents: `let unused; export { ${names.replace(/\w+/g, "unused as $&")} };` };
    });
  },
};

/**
 * `z.toJSONSchema(schema)` brings its own code for each type. The copy that each schema refers to serves only
 * `schema.toJSONSchema()` and Standard JSON Schema, and makes every function 17 KB larger.
 */
export const withoutJsonSchemaMethods: Plugin = {
  name: "without-json-schema-methods",
  setup(build) {
    build.onLoad({ filter: packageFiles(["zod/v4/classic/schemas.js"]) }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const pattern of jsonSchemaMethods) {
        const rest = contents.replace(pattern, "");
        if (rest === contents) throw new Error(`${path} does not contain ${pattern}.`);
        contents = rest;
      }
      return { contents };
    });
  },
};

const jsonSchemaMethods = [
  /inst\._zod\.processJSONSchema = \(ctx, json, params\) => processors\.\w+\(inst, ctx, json, params\);/g,
  /jsonSchema: \{\s+input: createStandard\w+\(this, "input"\),\s+output: createStandard\w+\(this, "output"\),\s+\},/,
  /toJSONSchema\(params\) \{\s+return createToJSONSchemaMethod\(this, \{\}\)\(params\);\s+\},/,
];
