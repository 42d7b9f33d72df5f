import { isDeepStrictEqual } from "node:util";
import * as z from "zod";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Schemas with an `id` in their zod metadata, under their names. */
export type Components = Record<string, JsonSchema>;

/** The JSON Schema of a zod schema; named schemas in it go into `components`, and are referred to. */
export function schemaOf(
  schema: z.ZodType,
  io: "input" | "output",
  components: Components,
): JsonSchema {
  const { $schema, $defs, ...made } = referringToComponents(
    z.toJSONSchema(schema, { io, target: "draft-2020-12", override: withoutClutter }),
  );
  for (const [name, component] of Object.entries($defs ?? {})) {
    components[name] ??= component;
    if (!isDeepStrictEqual(components[name], component)) {
      throw new Error(`Two schemas have the id ${name}, or its input differs from its output.`);
    }
  }
  return made;
}

/** The schema itself, or the component that it refers to. */
export function resolved(schema: JsonSchema, components: Components): JsonSchema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined ? schema : (components[name] ?? schema);
}

/** Zod adds to each format its pattern, to each integer its safe range, to each record its keys' type. */
function withoutClutter({ jsonSchema }: { jsonSchema: JsonSchema }): void {
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (isDeepStrictEqual(jsonSchema.propertyNames, { type: "string" })) {
    delete jsonSchema.propertyNames;
  }
}

function referringToComponents(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as JsonSchema;
}
