import { AppError, type FieldError } from "../errors.js";
import { jsonPointer } from "./json-pointer.js";
import { fieldsMax } from "./validation.js";

const depthMax = 32;

/**
 * The JSON body of a request, of at most `bytesMax`. Throws `unsupported_media_type`, `payload_too_large` (counted as it
 * streams), `malformed_body` (UTF-8, JSON, depth, prototype keys) or `validation_failed` (NUL and lone
 * surrogates, which Postgres cannot hold).
 */
export async function readJsonBody(request: Request, bytesMax: number): Promise<unknown> {
  requireJson(request.headers);
  const text = decodeUtf8(await readBytes(request, bytesMax));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
  requireStorable(value);
  return value;
}

/** Throws `validation_failed` for text anywhere in `value` that cannot be stored. */
export function requireStorable(value: unknown): void {
  const refused: FieldError[] = [];
  inspect(value, [], refused);
  if (refused.length > 0) throw new AppError("validation_failed", { fields: refused });
}

/** Text that UTF-8 and Postgres can hold: no NUL, no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/** A body as it was sent, of at most `bytesMax`. Throws `payload_too_large` or `malformed_body`. */
export async function readText(request: Request, bytesMax: number): Promise<string> {
  return decodeUtf8(await readBytes(request, bytesMax));
}

function requireJson(headers: Headers): void {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith("charset="));
  const isUtf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset);
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (type.trim() !== "application/json" || !isUtf8 || encoding !== "identity") {
    throw new AppError("unsupported_media_type");
  }
}

/** The bytes of a body, of at most `bytesMax`. Throws `payload_too_large` or `malformed_body`. */
export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > bytesMax) throw new AppError("payload_too_large");
  // A declared length is enforced by HTTP itself, so that the fast way is safe.
  if (declared !== null) {
    const bytes = new Uint8Array(await received(request.arrayBuffer()));
    if (bytes.byteLength > bytesMax) throw new AppError("payload_too_large");
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await received(reader.read());
    if (done) break;
    total += value.byteLength;
    if (total > bytesMax) {
      await reader.cancel();
      throw new AppError("payload_too_large");
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks);
}

/** A body that stops half-way is the sender's failure, not ours. */
async function received<T>(part: Promise<T>): Promise<T> {
  try {
    return await part;
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text that bytes are. Throws `malformed_body` where they are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
}

function inspect(value: unknown, path: string[], refused: FieldError[]): void {
  if (refused.length >= fieldsMax) return;
  if (typeof value === "string") {
    if (!isStorable(value)) refused.push(notStorable(path));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (path.length >= depthMax) throw new AppError("malformed_body");
  for (const name of Object.keys(value)) {
    if (name === "__proto__" || name === "constructor") throw new AppError("malformed_body");
    if (!isStorable(name)) {
      refused.push(notStorable(path));
      continue;
    }
    // One path for the whole walk: a copy for each of a megabyte's elements would take seconds.
    path.push(name);
    inspect((value as Record<string, unknown>)[name], path, refused);
    path.pop();
  }
}

const notStorable = (path: string[]): FieldError => ({
  pointer: jsonPointer(path),
  code: "invalid_text",
  message: "Text must not hold NUL or lone surrogates.",
});
