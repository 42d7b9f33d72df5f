import { AppError, type FieldError } from "../../errors.js";
import { readBytes } from "./body-bytes.js";
import { jsonPointer } from "./json-pointer.js";
import { fieldErrorsMax } from "./validation.js";

const depthMax = 32;

/** More members than any schema allows; a longer list is refused before it is inspected. */
export const membersMax = 1000;

/**
 * With `isOptional`, no body is `{}`. Of repeated fields the last one counts. Throws what `readBytes` throws,
 * `unsupported_media_type`, `malformed_body` (UTF-8, JSON, depth, prototype keys), and `validation_failed` (too many
 * members; NUL and lone surrogates, which Postgres cannot store).
 */
export async function readJsonBody(
  request: Request,
  bytesMax: number,
  isOptional = false,
): Promise<unknown> {
  if (!isOptional) requireJson(request.headers);
  const bytes = await readBytes(request, bytesMax);
  if (isOptional) {
    if (bytes.length === 0) return {};
    requireJson(request.headers);
  }
  const text = decodeUtf8(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
  requireStorable(value);
  return value;
}

function requireStorable(value: unknown): void {
  const refused: FieldError[] = [];
  inspect(value, [], refused);
  if (refused.length > 0) throw new AppError("validation_failed", { fields: refused });
}

/** Whether Postgres can store the text: no NUL, no lone surrogate. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

export async function readText(request: Request, bytesMax: number): Promise<string> {
  return decodeUtf8(await readBytes(request, bytesMax));
}

function requireJson(headers: Headers): void {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith("charset="));
  const isUtf8 = charset === undefined || /^charset=(utf-?8|"utf-?8")$/.test(charset);
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (type.trim() !== "application/json" || !isUtf8 || encoding !== "identity") {
    throw new AppError("unsupported_media_type");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Throws `malformed_body`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
}

function inspect(value: unknown, path: string[], refused: FieldError[]): void {
  if (refused.length >= fieldErrorsMax) return;
  if (typeof value === "string") {
    if (!isStorable(value)) refused.push(refusal(path, "invalid_text"));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (path.length >= depthMax) throw new AppError("malformed_body");
  const members = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (members > membersMax) {
    refused.push(refusal(path, "too_big"));
    return;
  }
  for (const name of Object.keys(value)) {
    if (name === "__proto__" || name === "constructor") throw new AppError("malformed_body");
    if (!isStorable(name)) {
      refused.push(refusal(path, "invalid_text"));
      continue;
    }
    // One shared path: a copy per element would be slow.
    path.push(name);
    inspect((value as Record<string, unknown>)[name], path, refused);
    path.pop();
  }
}

const messages = {
  invalid_text: "Text must not hold NUL or lone surrogates.",
  too_big: `There must be no more than ${membersMax} elements or fields.`,
};

const refusal = (path: string[], code: keyof typeof messages): FieldError => ({
  pointer: jsonPointer(path),
  code,
  message: messages[code],
});
