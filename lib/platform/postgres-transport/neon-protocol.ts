/** Neon's HTTP endpoint without HTTP. Source: neondatabase/neon, proxy/src/serverless. */

export interface SqlStatement {
  text: string;
  params: (string | null)[];
}

export interface SqlField {
  name: string;
  tableID: number;
  columnID: number;
  dataTypeID: number;
  dataTypeSize: number;
  dataTypeModifier: number;
  format: string;
}

/** Values in the text format of Postgres. */
export interface SqlResult {
  fields: SqlField[];
  rows: (string | null)[][];
  command: string;
  rowCount: number | null;
}

export interface BatchOptions {
  isolationLevel: string | undefined;
  readOnly: boolean;
  deferrable: boolean;
}

/** Rejects with a `ServerError`, or with another error when the server is unreachable or the call late or aborted. */
export interface SqlBackend {
  query(statement: SqlStatement, signal?: AbortSignal): Promise<SqlResult>;
  batch(
    statements: SqlStatement[],
    options: BatchOptions,
    signal?: AbortSignal,
  ): Promise<SqlResult[]>;
}

export interface SqlReply {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

/** Names in lower case (node:http) or as Neon's client writes them. */
export type SqlHeaders = Record<string, string | string[] | undefined>;

/** `POST /sql`: 200, or 400 for an invalid request or an SQL error. Raw text output only. Rejects on other errors of `backend`. */
export async function handleSql(
  backend: SqlBackend,
  headers: SqlHeaders,
  body: string,
  signal?: AbortSignal,
): Promise<SqlReply> {
  const request = parseBody(body);
  if (typeof request === "string") return refusal(request);
  if (headerValue(headers, "Neon-Raw-Text-Output") !== "true") {
    return refusal("Neon-Raw-Text-Output: true is required");
  }
  const asArrays = headerValue(headers, "Neon-Array-Mode") === "true";
  try {
    if (!("queries" in request)) {
      return { status: 200, body: presented(await backend.query(request, signal), asArrays) };
    }
    const isolation = headerValue(headers, "Neon-Batch-Isolation-Level");
    if (isolation !== undefined && !isolationLevels.has(isolation)) {
      return refusal(`Neon-Batch-Isolation-Level: ${isolation} is unknown`);
    }
    const options: BatchOptions = {
      isolationLevel: isolation && isolationLevels.get(isolation),
      readOnly: headerValue(headers, "Neon-Batch-Read-Only") === "true",
      deferrable: headerValue(headers, "Neon-Batch-Deferrable") === "true",
    };
    const results = await backend.batch(request.queries, options, signal);
    return {
      status: 200,
      headers: echoed(headers),
      body: { results: results.map((result) => presented(result, asArrays)) },
    };
  } catch (error) {
    if (isServerError(error)) return { status: 400, body: errorBody(error) };
    throw error;
  }
}

export function beginStatement({ isolationLevel, readOnly, deferrable }: BatchOptions): string {
  const isolation = isolationLevel ? ` ISOLATION LEVEL ${isolationLevel}` : "";
  return `BEGIN${isolation}${readOnly ? " READ ONLY" : ""}${deferrable ? " DEFERRABLE" : ""}`;
}

export interface ServerError extends Error {
  code: string;
  severity: string;
}

export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    typeof (error as Partial<ServerError>).severity === "string" &&
    typeof (error as Partial<ServerError>).code === "string"
  );
}

/** Of a CommandComplete message, such as `INSERT 0 1`. */
export function parseCommandTag(tag: string): { command: string; rowCount: number | null } {
  const words = tag.split(" ");
  const count = Number(words[0] === "INSERT" ? words[2] : words[1]);
  return { command: words[0] ?? "", rowCount: Number.isInteger(count) ? count : null };
}

const isolationLevels = new Map([
  ["ReadUncommitted", "READ UNCOMMITTED"],
  ["ReadCommitted", "READ COMMITTED"],
  ["RepeatableRead", "REPEATABLE READ"],
  ["Serializable", "SERIALIZABLE"],
]);

const echoedHeaders = [
  "Neon-Batch-Isolation-Level",
  "Neon-Batch-Read-Only",
  "Neon-Batch-Deferrable",
];

const errorFields = [
  "message",
  "severity",
  "code",
  "detail",
  "hint",
  "position",
  "internalPosition",
  "internalQuery",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
  "file",
  "line",
  "routine",
];

function headerValue(headers: SqlHeaders, name: string): string | undefined {
  const value = headers[name] ?? headers[name.toLowerCase()];
  return typeof value === "string" ? value : undefined;
}

function echoed(headers: SqlHeaders): Record<string, string> {
  const reply: Record<string, string> = {};
  for (const name of echoedHeaders) {
    const value = headerValue(headers, name);
    if (value !== undefined) reply[name] = value;
  }
  return reply;
}

function parseBody(body: string): SqlStatement | { queries: SqlStatement[] } | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return "The body is not JSON";
  }
  const queries = (parsed as { queries?: unknown } | null)?.queries;
  if (!Array.isArray(queries)) return parseStatement(parsed);
  const statements: SqlStatement[] = [];
  for (const query of queries) {
    const statement = parseStatement(query);
    if (typeof statement === "string") return statement;
    statements.push(statement);
  }
  return { queries: statements };
}

function parseStatement(value: unknown): SqlStatement | string {
  const { query, params = [] } = (value ?? {}) as { query?: unknown; params?: unknown };
  if (typeof query !== "string") return "query must be a string";
  if (!Array.isArray(params)) return "params must be an array";
  return { text: query, params: params.map(paramText) };
}

function paramText(value: unknown): string | null {
  if (value === null || typeof value === "string") return value;
  return Array.isArray(value) ? arrayText(value) : JSON.stringify(value);
}

function arrayText(values: unknown[]): string {
  const elements = values.map((value) => {
    if (value === null) return "NULL";
    if (Array.isArray(value)) return arrayText(value);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return `"${text.replace(/[\\"]/g, "\\$&")}"`;
  });
  return `{${elements.join(",")}}`;
}

function presented(result: SqlResult, asArrays: boolean) {
  const { fields, rows, command, rowCount } = result;
  const shaped = asArrays
    ? rows
    : rows.map((row) => Object.fromEntries(fields.map(({ name }, i) => [name, row[i] ?? null])));
  return { fields, rows: shaped, command, rowCount, rowAsArray: asArrays };
}

function errorBody(error: ServerError): Record<string, unknown> {
  const source = error as unknown as Record<string, unknown>;
  return Object.fromEntries(errorFields.map((field) => [field, source[field]]));
}

function refusal(message: string): SqlReply {
  return { status: 400, body: { message } };
}
