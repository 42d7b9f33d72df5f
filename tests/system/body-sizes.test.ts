import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Route } from "../../lib/http/route.js";
import { membersMax } from "../../lib/http/steps/json-body.js";
import { bodyBytesMaxOf } from "../../lib/http/steps/read-body.js";
import { sourceFiles } from "../support/source-files.js";

type Schema = z.core.JSONSchema.JSONSchema;

/**
 * The size in bytes of the largest JSON that a schema accepts, without white space. Each character of free
 * text counts as `\u0000`, as some encoders escape everything but ASCII. Throws where a size has no limit.
 */
function largest(schema: Schema, path = "body", named = schema.$defs ?? {}): number {
  const name = schema.$ref?.replace("#/$defs/", "");
  if (name !== undefined) return largest(named[name] as Schema, path, named);
  const { anyOf, oneOf, const: only, enum: values, type, pattern } = schema;
  const options = (anyOf ?? oneOf)?.map((option) => largest(option as Schema, path, named));
  if (options) return Math.max(...options);
  const literals = only === undefined ? values : [only];
  if (literals) return Math.max(...literals.map((value) => JSON.stringify(value).length));
  if (type === "null" || type === "boolean") return 5;
  if (type === "number" || type === "integer") return 25;
  if (type === "string") {
    return 2 + (schema.maxLength === undefined ? lengthOf(pattern, path) : 6 * schema.maxLength);
  }
  if (schema.prefixItems && schema.items === false) {
    const items = schema.prefixItems as Schema[];
    return items.reduce((bytes, item) => bytes + largest(item, `${path}[]`, named) + 1, 2);
  }
  if (type === "array") {
    const count = bounded(schema.maxItems, path);
    expect(count).toBeLessThanOrEqual(membersMax);
    return count * (largest(schema.items as Schema, `${path}[]`, named) + 1) + 2;
  }
  if (type === "object" && schema.additionalProperties === false) {
    const fields = Object.entries(schema.properties ?? {});
    return fields.reduce(
      (bytes, [name, field]) =>
        bytes + name.length + 4 + largest(field as Schema, `${path}.${name}`, named),
      2,
    );
  }
  throw new Error(`${path} has no limit: ${JSON.stringify(schema)}`);
}

function bounded(max: number | undefined, path: string): number {
  if (max === undefined) throw new Error(`${path} has no limit.`);
  return max;
}

/** The maximum length that a pattern without `*` and `+` allows: its own length plus its counts. */
function lengthOf(pattern: string | undefined, path: string): number {
  if (pattern === undefined || /[*+]/.test(pattern.replace(/\\.|\[[^\]]*\]/g, ""))) {
    throw new Error(`${path} has no limit: ${pattern}`);
  }
  const counts = [...pattern.matchAll(/\{(?:\d+,)?(\d+)\}/g)].map(([, max]) => Number(max));
  return pattern.length + counts.reduce((sum, max) => sum + max, 0);
}

describe("the largest body that a schema accepts", () => {
  it.each(sourceFiles("api"))("is within the body limit of %s", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    for (const [method, endpoint] of Object.entries(route.endpoints)) {
      if (!endpoint.body || endpoint.upload) continue;
      const schema = z.toJSONSchema(endpoint.body, { io: "input", unrepresentable: "any" });
      const bytes = largest(schema);
      expect([method, bytes]).toEqual([method, expect.any(Number)]);
      expect(bytes).toBeLessThanOrEqual(bodyBytesMaxOf(endpoint));
    }
  });
});
