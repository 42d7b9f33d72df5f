import { type Components, type JsonSchema, resolved } from "./schemas.js";

/** A request: what is required, and the optional fields that have an example. */
export function sampleRequest(schema: JsonSchema, components: Components): unknown {
  return sample(schema, components, (field) => hasExample(field, components));
}

/** A reply with every field. */
export function sampleReply(schema: JsonSchema, components: Components): unknown {
  return sample(schema, components, () => true);
}

type IsWanted = (optional: JsonSchema) => boolean;

function sample(given: JsonSchema, components: Components, isWanted: IsWanted): unknown {
  const schema = resolved(given, components);
  const known = schema.examples?.[0] ?? schema.const ?? schema.default ?? schema.enum?.[0];
  if (known !== undefined) return known;
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice) return sample(choice as JsonSchema, components, isWanted);
  switch ([schema.type].flat()[0]) {
    case "object": {
      const fields = Object.entries(schema.properties ?? {}) as [string, JsonSchema][];
      const wanted = fields.filter(
        ([name, field]) => schema.required?.includes(name) || isWanted(field),
      );
      return Object.fromEntries(
        wanted.map(([name, field]) => [name, sample(field, components, isWanted)]),
      );
    }
    case "array": {
      const { prefixItems, items, minItems = 1 } = schema;
      const each = prefixItems ?? Array.from({ length: minItems }, () => items);
      return each.map((item) => sample(item as JsonSchema, components, isWanted));
    }
    case "string":
      return samplesOfFormats[schema.format ?? ""] ?? "string";
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return true;
    default:
      return null;
  }
}

const samplesOfFormats: Record<string, string> = {
  uuid: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
  "date-time": "2026-01-31T12:00:00.000Z",
  uri: "https://example.com/ada.png",
  ipv4: "198.51.100.7",
};

function hasExample(given: JsonSchema, components: Components): boolean {
  const schema = resolved(given, components);
  if (schema.examples !== undefined) return schema.examples.length > 0;
  const parts = [
    ...(schema.anyOf?.slice(0, 1) ?? []),
    ...(schema.required ?? []).map((name) => schema.properties?.[name]),
  ] as JsonSchema[];
  return parts.length > 0 && parts.every((part) => hasExample(part, components));
}
