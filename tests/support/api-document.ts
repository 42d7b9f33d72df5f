import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { expect } from "vitest";

// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document, as a client's tool reads it
type Json = any;

export interface DocumentedOperation {
  /** `GET /api/user/sessions`, with the path of the document. */
  name: string;
  responses: Record<string, Json>;
  /** The example of the request's body, if it has one. */
  example: Json;
  contentType: string | undefined;
  /** The examples of the path's parameters by name. */
  params: Record<string, string>;
  document: Json;
}

/** Every operation of one of the documents in docs/. */
export function documentedOperations(path: string): DocumentedOperation[] {
  const document = JSON.parse(readFileSync(path, "utf8"));
  return Object.entries<Json>(document.paths).flatMap(([url, methods]) =>
    Object.entries<Json>(methods).map(([method, { parameters, responses, requestBody }]) => {
      const [contentType, body] = Object.entries<Json>(requestBody?.content ?? {})[0] ?? [];
      const params = Object.fromEntries(
        (parameters as Json[])
          .filter((parameter) => parameter.in === "path")
          .map(({ name, schema }) => [name, schema.examples[0]]),
      );
      const name = `${method.toUpperCase()} ${url}`;
      return { name, responses, example: body?.example, contentType, params, document };
    }),
  );
}

/** Compare a reply with the document: status, content type, required headers and body. */
export async function expectDocumented(
  { name, responses, document }: DocumentedOperation,
  reply: Response,
): Promise<Json> {
  const text = await reply.text();
  const label = `${name} answered ${reply.status} ${text.slice(0, 500)}`;
  expect(Object.keys(responses), label).toContain(String(reply.status));
  const response = followed(document, responses[reply.status]);
  for (const [header, declared] of Object.entries<Json>(response.headers ?? {})) {
    const { required, schema } = followed(document, declared);
    const value = reply.headers.get(header);
    if (required) expect(value, `${header} of ${label}`).not.toBeNull();
    if (value !== null) expectValid(document, schema, value, `${header} of ${label}`);
  }
  if (!response.content) {
    expect(text, label).toBe("");
    return undefined;
  }
  const type = reply.headers.get("content-type")?.split(";")[0] ?? "";
  expect(Object.keys(response.content), label).toContain(type);
  const body = type.startsWith("text/") ? text : JSON.parse(text);
  expectValid(document, response.content[type].schema, body, label);
  return body;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
const validators = new Map<string, ReturnType<typeof ajv.compile>>();

export function expectValid(document: Json, schema: Json, value: unknown, label: string): void {
  const key = document.info.title + JSON.stringify(schema);
  const validate =
    validators.get(key) ?? ajv.compile({ ...schema, components: document.components });
  validators.set(key, validate);
  expect(validate(value) ? [] : validate.errors, label).toEqual([]);
}

function followed(document: Json, value: Json): Json {
  if (value.$ref === undefined) return value;
  const steps: string[] = value.$ref.split("/").slice(1);
  return steps.reduce((part, step) => part[step], document);
}
