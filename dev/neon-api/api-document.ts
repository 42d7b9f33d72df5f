import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";

/** A schema of the document, with its references and compositions resolved one level deep. */
export interface Schema {
  type?: string;
  format?: string;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  properties?: Record<string, RawSchema>;
  required?: string[];
  items?: RawSchema;
  additionalProperties?: RawSchema | boolean;
}
type RawSchema = Schema & { $ref?: string; allOf?: RawSchema[] };

interface Parameter {
  name: string;
  in: "path" | "query";
  required?: boolean;
  schema: RawSchema;
}

interface RawOperation {
  operationId: string;
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: { required?: boolean; content: JsonContent };
  responses: Record<string, { $ref: string } | { content?: JsonContent }>;
}
type JsonContent = { "application/json": { schema: RawSchema } };
type PathItem = Record<string, RawOperation> & { parameters?: Parameter[] };

interface Document {
  paths: Record<string, PathItem>;
}

export interface ApiOperation {
  id: string;
  /** By name. */
  params: Record<string, string>;
  /** What is wrong with a request, by the document. */
  refuses(query: URLSearchParams, body: unknown): string | undefined;
  /** Throws when the document does not have such an answer, or a field of it. */
  requireAnswer(status: number, body: unknown): void;
}

const documentId = "neon";
const file = path.join(
  path.dirname(createRequire(import.meta.url).resolve("@neondatabase/api-client/package.json")),
  "public-v2-for-users.gen.yaml",
);
const document = parse(readFileSync(file, "utf8")) as Document;
const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes: false });
addFormats.default(ajv);
ajv.addSchema(document as object, documentId);

/** The operation of a request, by the OpenAPI document that Neon's own client ships. */
export function findOperation(method: string, pathname: string): ApiOperation | undefined {
  for (const [template, item] of Object.entries(document.paths)) {
    const operation = item[method.toLowerCase()];
    const params = operation && paramsOf(template, pathname);
    if (!operation || !params) continue;
    const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((each) =>
      deref<Parameter>(each),
    );
    return {
      id: operation.operationId,
      params,
      refuses: (query, body) => refusal(operation, parameters, { params, query, body }),
      requireAnswer: (status, body) => requireAnswer(operation, status, body),
    };
  }
  return undefined;
}

/** The schema of the answer of an operation, by its ID and status. */
export function answerSchema(operationId: string, status: number): Schema {
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) {
      if (Array.isArray(operation) || operation.operationId !== operationId) continue;
      const schema = schemaOf(operation, status);
      if (schema) return resolved(schema);
    }
  }
  throw new Error(`Neon's document has no answer ${status} of ${operationId}.`);
}

/** Follows `$ref` and merges `allOf`. */
export function resolved(raw: RawSchema): Schema {
  const { $ref, allOf = [], ...own } = raw;
  const parts = [...($ref ? [deref<RawSchema>({ $ref })] : []), ...allOf].map(resolved);
  const merged: Schema = { ...Object.assign({}, ...parts), ...own };
  const all = [...parts, own];
  const properties = Object.assign({}, ...all.map((part) => part.properties ?? {}));
  if (Object.keys(properties).length > 0) merged.properties = properties;
  merged.required = [...new Set(all.flatMap((part) => part.required ?? []))];
  return merged;
}

function paramsOf(template: string, pathname: string): Record<string, string> | undefined {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const pattern = template.replace(/\{\w+\}/g, "([^/]+)");
  const found = new RegExp(`^${pattern}$`).exec(pathname);
  if (!found) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? ""]));
}

function deref<T>(value: object): T {
  if (!("$ref" in value)) return value as T;
  const keys = String(value.$ref).replace(/^#\//, "").split("/");
  let at: unknown = document;
  for (const key of keys) at = (at as Record<string, unknown>)[key];
  return at as T;
}

function refusal(
  { requestBody }: RawOperation,
  parameters: Parameter[],
  {
    params,
    query,
    body,
  }: { params: Record<string, string>; query: URLSearchParams; body: unknown },
): string | undefined {
  for (const { name, in: place, required, schema } of parameters) {
    const text = place === "path" ? params[name] : (query.get(name) ?? undefined);
    if (text === undefined) {
      if (required) return `${name} is required`;
      continue;
    }
    const { type } = resolved(schema);
    const value = type === "integer" ? Number(text) : type === "boolean" ? text === "true" : text;
    const problem = problemOf(schema, value);
    if (problem) return `${name} ${problem}`;
  }
  const known = parameters.filter((each) => each.in === "query").map(({ name }) => name);
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown) return `${unknown} is not a parameter`;
  const schema = requestBody?.content["application/json"].schema;
  if (!schema) return undefined;
  if (body === undefined) return requestBody.required ? "a body is required" : undefined;
  const [field] = unknownFields(schema, body, "");
  if (field !== undefined) return `${field} is not a field`;
  const problem = problemOf(schema, body);
  return problem && `body ${problem}`;
}

function requireAnswer(operation: RawOperation, status: number, body: unknown): void {
  const schema = schemaOf(operation, status) ?? schemaOf(operation, "default");
  if (body === undefined && operation.responses[status]) return;
  if (!schema) throw new Error(`${operation.operationId} has no answer ${status}.`);
  const unknown = unknownFields(schema, body, "");
  const problem = problemOf(schema, body) ?? (unknown[0] && `${unknown[0]} is not a field`);
  if (problem) throw new Error(`Not an answer of ${operation.operationId}: ${problem}`);
}

function schemaOf({ responses }: RawOperation, status: number | string): RawSchema | undefined {
  const found = responses[status];
  return found && deref<{ content?: JsonContent }>(found).content?.["application/json"].schema;
}

const validators = new WeakMap<object, ValidateFunction>();

function problemOf(schema: RawSchema, value: unknown): string | undefined {
  let validate = validators.get(schema);
  if (!validate) {
    validate = ajv.compile(absolute(schema) as object);
    validators.set(schema, validate);
  }
  return validate(value) ? undefined : ajv.errorsText(validate.errors, { dataVar: "" });
}

/** References of a part of the document, seen from outside of it. */
function absolute(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(absolute);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === "$ref" ? [key, `${documentId}${String(each)}`] : [key, absolute(each)],
    ),
  );
}

/** The document does not forbid other fields, so a stand-in could invent some. */
function unknownFields(raw: RawSchema, value: unknown, at: string): string[] {
  const schema = resolved(raw);
  if (Array.isArray(value)) {
    const { items } = schema;
    return items
      ? value.flatMap((each, index) => unknownFields(items, each, `${at}/${index}`))
      : [];
  }
  if (typeof value !== "object" || value === null || !schema.properties) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const property = schema.properties?.[name];
    return property ? unknownFields(property, each, `${at}/${name}`) : [`${at}/${name}`];
  });
}
