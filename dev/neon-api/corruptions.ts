import { answerSchema, resolved, type Schema } from "./api-document.js";

export interface Corruption {
  /** `*` stands for every item of an array; empty for the whole body. */
  path: string;
  /** `missing`, `null`, `wrong type`, … */
  how: string;
  /** The text that is sent instead of a body. */
  rewrite(body: unknown): string;
}

/** Deeper fields than this are not ours, nor near to it. */
const depthMax = 4;
/** What a change of an array or text leaves out. */
const absent = Symbol("absent");

/** Each field of an answer of Neon's API, in every way that it can be wrong, by the schema of Neon's own document. */
export function corruptionsOf(operationId: string, status: number): Corruption[] {
  return [...wholeBody, ...fieldCorruptions(answerSchema(operationId, status), [])];
}

const wholeBody: Corruption[] = [
  ["truncated", (body: unknown) => JSON.stringify(body).slice(0, -8)],
  ["HTML", () => "<!doctype html><title>502 Bad Gateway</title>"],
  ["empty", () => ""],
  ["null", () => "null"],
  ["an array", () => "[]"],
  ["an empty object", () => "{}"],
].map(([how, rewrite]) => ({ path: "", how: how as string, rewrite: rewrite as () => string }));

function fieldCorruptions(schema: Schema, at: string[]): Corruption[] {
  if (at.length >= depthMax) return [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, raw]) => {
    const property = resolved(raw);
    const path = [...at, name];
    const own = valuesOf(property).map(([how, value]) => corruption(path, how, () => value));
    if (!property.items) return [...own, ...fieldCorruptions(property, path)];
    const item = resolved(property.items);
    return [
      ...own,
      corruption(path, "reordered", (old) => (Array.isArray(old) ? old.toReversed() : old)),
      ...valuesOf(item).map(([how, value]) => corruption([...path, "*"], how, () => value)),
      ...fieldCorruptions(item, [...path, "*"]),
    ];
  });
}

/** Other values than a good answer has. */
function valuesOf({
  type,
  format,
  enum: values = [],
  minimum,
  pattern,
}: Schema): [string, unknown][] {
  const common: [string, unknown][] = [
    ["missing", absent],
    ["null", null],
  ];
  if (type === "array") return [...common, ["wrong type", "text"], ["empty", []]];
  if (type === "boolean") return [...common, ["wrong type", "text"]];
  if (type === "integer" || type === "number") {
    const low = (minimum ?? 0) - 1;
    const outside: [string, unknown][] = [
      ["out of range, low", low],
      ["out of range, high", 9e15],
      ["not whole", 0.5],
    ];
    return [...common, ["wrong type", "text"], ...outside];
  }
  if (type !== "string") return [...common, ["wrong type", "text"], ["empty", {}]];
  const isTime = format === "date-time" || undefined;
  return [
    ...common,
    ["wrong type", 12_345],
    ["empty", ""],
    ...(isTime || !pattern ? timesToo : []),
    ...(pattern ? ([["against the pattern", "NOT an ID!"]] as [string, unknown][]) : []),
    ["another value", pattern ? "another-value" : "another value"],
    ...values.map((value): [string, unknown] => [`the value ${value}`, value]),
  ];
}

/** The document does not say of every time that it is one. */
const timesToo: [string, unknown][] = [
  ["a far past", "1970-01-01T00:00:00Z"],
  ["a far future", "2999-01-01T00:00:00Z"],
];

function corruption(path: string[], how: string, change: (old: unknown) => unknown): Corruption {
  return {
    path: path.join("/"),
    how,
    rewrite(body) {
      const root = { body };
      alter(root, ["body", ...path], change);
      return JSON.stringify(root.body);
    },
  };
}

function alter(parent: unknown, [key = "", ...rest]: string[], change: (old: unknown) => unknown) {
  if (typeof parent !== "object" || parent === null) return;
  const holder = parent as Record<string, unknown>;
  const keys = key === "*" ? Object.keys(holder) : [key];
  for (const name of keys) {
    if (rest.length > 0) {
      alter(holder[name], rest, change);
      continue;
    }
    const value = change(holder[name]);
    if (value === absent) delete holder[name];
    else holder[name] = value;
  }
  if (key === "*" && rest.length === 0 && Array.isArray(parent)) {
    parent.splice(0, parent.length, ...parent.filter((_, index) => index in parent));
  }
}
