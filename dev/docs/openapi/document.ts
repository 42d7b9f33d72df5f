import { STATUS_CODES } from "node:http";
import type * as z from "zod";
import { routeGroupOf } from "../../../lib/admission/route-groups.js";
import { catalogue, type ErrorCode } from "../../../lib/errors.js";
import { Problem } from "../../../lib/http/problem.js";
import { contractOf, type ReplyContract } from "../../../lib/http/reply.js";
import { bodyBytesMaxOf, isBodyOptional } from "../../../lib/http/steps/read-body.js";
import { version } from "../../../lib/version.js";
import { errorResponses, problemExample } from "./errors.js";
import { headers, parameters, replyHeadersOf, requestHeadersOf } from "./headers.js";
import { rateLimitsOf } from "./limits.js";
import { pathParametersOf } from "./path-parameters.js";
import type { Operation } from "./routes.js";
import { sampleReply, sampleRequest } from "./sample.js";
import { type Components, type JsonSchema, schemaOf } from "./schemas.js";
import { securityOf, securitySchemes } from "./security.js";
import { tagDescription, tagOf } from "./tags.js";

/** An OpenAPI 3.1 document of these operations. */
export function openApiDocument(title: string, description: string, operations: Operation[]) {
  const schemas: Components = {};
  const errors: Record<string, object> = {};
  schemaOf(Problem, "output", schemas);
  const paths: Paths = {};
  for (const operation of operations) {
    const { path, method } = operation;
    const described = describe(operation, schemas, errors);
    paths[path] = { ...paths[path], [method.toLowerCase()]: described };
  }
  const tags = [...new Set(operations.map(tagOf))].sort();
  const examples = Object.keys(catalogue).map((code) => [code, problemExample(code as ErrorCode)]);
  const document = {
    openapi: "3.1.1",
    info: {
      title,
      version,
      description,
      license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
    },
    servers: [{ url: "/", description: "The deployment that serves this document." }],
    tags: tags.map((name) => ({ name, description: tagDescription(name) })),
    paths,
  };
  const components = {
    schemas,
    responses: errors,
    examples: Object.fromEntries(examples),
    parameters,
    headers,
    securitySchemes,
  };
  return { ...document, components: onlyUsed(components, document) };
}

type Paths = Record<string, Record<string, ReturnType<typeof describe>>>;

function describe(operation: Operation, schemas: Components, errors: Record<string, object>) {
  const { endpoint, path, route } = operation;
  const group = routeGroupOf(route.template);
  const permission = endpoint.operation;
  const limits = rateLimitsOf(endpoint);
  const body = requestBody(operation, schemas);
  return {
    operationId: operationId(operation),
    tags: [tagOf(operation)],
    summary: endpoint.summary,
    security: securityOf(endpoint),
    parameters: [
      ...pathParametersOf(path),
      ...queryParameters(operation, schemas),
      ...requestHeadersOf(endpoint),
    ],
    ...(body && { requestBody: body }),
    responses: responses(operation, schemas, errors),
    ...(group && { "x-kill-switch": group }),
    ...(permission && { "x-operator-scope": `${permission.scope}:${permission.kind}` }),
    ...((endpoint.stepUp || permission?.kind === "change") && { "x-step-up": true }),
    ...(limits.length > 0 && { "x-rate-limits": limits }),
  };
}

/** `getUserSessions`, `deleteUserSessionsBySessionId`. */
function operationId({ method, path }: Operation): string {
  const words =
    path
      .replace(/^\/api/, "")
      .replaceAll("{", "by-{")
      .match(/[A-Za-z0-9]+/g) ?? [];
  const name = (words.length > 0 ? words : ["index"]).map(
    (word) => word.charAt(0).toUpperCase() + word.slice(1),
  );
  return method.toLowerCase() + name.join("");
}

function queryParameters({ endpoint: { query } }: Operation, schemas: Components): object[] {
  if (!query) return [];
  const { properties = {}, required = [] } = schemaOf(query, "input", schemas);
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, field]) => {
    const { description, ...schema } = field;
    return {
      name,
      in: "query",
      required: required.includes(name),
      ...(description && { description }),
      schema,
    };
  });
}

function requestBody({ endpoint }: Operation, schemas: Components): object | undefined {
  const { body: ownBody, event, upload } = endpoint;
  const body = event ?? ownBody;
  if (upload) {
    const fields = body ? schemaOf(body, "input", schemas) : { type: "object" as const };
    const file = { type: "string", contentMediaType: "application/octet-stream" };
    const schema: JsonSchema = {
      ...fields,
      properties: { [upload.part]: file as JsonSchema, ...fields.properties },
      required: [upload.part, ...(fields.required ?? [])],
    };
    const example = sampleRequest(schema, schemas);
    const content = { "multipart/form-data": { schema, example } };
    return { required: true, content, "x-file-bytes-max": upload.fileBytesMax };
  }
  if (!body) return undefined;
  const schema = schemaOf(body, "input", schemas);
  const content = { "application/json": { schema, example: sampleRequest(schema, schemas) } };
  return { required: !isBodyOptional(body), content, "x-bytes-max": bodyBytesMaxOf(endpoint) };
}

/** The declared replies and references to the errors, which are added to `errors` by name. */
function responses(
  operation: Operation,
  schemas: Components,
  errors: Record<string, object>,
): Record<number, object> {
  const { endpoint } = operation;
  const all: Record<number, object> = {};
  const ofErrors = errorResponses(operation);
  for (const [status, { name, response }] of Object.entries(ofErrors)) {
    all[Number(status)] = { $ref: `#/components/responses/${name}` };
    errors[name] = response;
  }
  for (const [status, declared] of Object.entries(endpoint.replies)) {
    const contract = contractOf(declared);
    const own = [
      ...(contract.headers ?? []),
      ...(endpoint.replay && status.startsWith("2") ? ["Idempotent-Replayed"] : []),
    ];
    const content = replyContent(contract, schemas);
    const headers = replyHeadersOf(endpoint, own, endpoint);
    const error = ofErrors[Number(status)]?.response;
    all[Number(status)] = error
      ? { ...error, content: { ...content, ...error.content } }
      : { description: STATUS_CODES[status] ?? status, headers, ...(content && { content }) };
  }
  return all;
}

function replyContent({ body, contentType }: ReplyContract, schemas: Components) {
  if (body === null) return undefined;
  const schema = schemaOf(body as z.ZodType, "output", schemas);
  const type = contentType?.split(";")[0] ?? "application/json";
  return { [type]: { schema, example: sampleReply(schema, schemas) } };
}

type Named = Record<string, Record<string, object>>;

/** The components that the document refers to. */
function onlyUsed(components: Named, document: object): Named {
  const text = JSON.stringify([document, components]);
  const isUsed = (kind: string, name: string) =>
    kind === "securitySchemes"
      ? text.includes(`{"${name}":[]}`)
      : text.includes(`"#/components/${kind}/${name}"`);
  return Object.fromEntries(
    Object.entries(components).map(([kind, named]) => [
      kind,
      Object.fromEntries(
        Object.entries(named)
          .filter(([name]) => isUsed(kind, name))
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    ]),
  );
}
