import { ContentDisposition } from "@remix-run/headers/content-disposition";
import {
  MaxFileSizeExceededError,
  MultipartParser,
  type MultipartPart,
} from "@remix-run/multipart-parser";
import { AppError, type FieldError } from "../../errors.js";
import { readBytes } from "./body-bytes.js";
import { decodeUtf8, isStorable } from "./json-body.js";
import { jsonPointer } from "./json-pointer.js";
import { fieldErrorsMax } from "./validation.js";

export interface Upload {
  /** The name of its part. */
  part: string;
  fileBytesMax: number;
}

export interface Multipart {
  file: Uint8Array<ArrayBuffer>;
  /** The other parts, as text. */
  fields: Record<string, string>;
}

/** Room for the other parts and their headers. */
const fieldsBytesMax = 16 * 1024;

/** More than any endpoint takes; errors name each part. */
const partsMax = 32;
const headersBytesMax = 4096;

/**
 * Throws what `readBytes` throws, `multipart_needed`, `malformed_body`, and `validation_failed` with pointers to
 * the parts: no file, an empty one, a repeated part, or a text that is a file or cannot be stored.
 */
export async function readMultipart(
  request: Request,
  { part, fileBytesMax }: Upload,
): Promise<Multipart> {
  const type = request.headers.get("content-type") ?? "";
  const encoding = request.headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (!/^multipart\/form-data\s*;/i.test(type) || encoding !== "identity") {
    throw new AppError("multipart_needed");
  }
  const boundary = boundaryOf(type);
  const bytes = await readBytes(request, fileBytesMax + fieldsBytesMax);
  const fields: Record<string, string> = Object.create(null);
  const refused: FieldError[] = [];
  let file: Uint8Array<ArrayBuffer> | undefined;
  for (const { name, isFile, content } of partsOf(bytes, boundary, fileBytesMax)) {
    const isWanted = name === part;
    const text = isWanted || isFile ? null : decodeUtf8(content);
    if (isWanted ? file !== undefined : name in fields) refused.push(refusal(name, "repeated"));
    else if (isWanted && isFile) file = content;
    else if (text !== null && isStorable(text)) fields[name] = text;
    else refused.push(refusal(name, isWanted ? "file_needed" : "invalid_text"));
  }
  if (file?.byteLength === 0) refused.push(refusal(part, "empty"));
  if (!file && refused.length === 0) refused.push(refusal(part, "file_needed"));
  if (!file || refused.length > 0) {
    throw new AppError("validation_failed", { fields: refused.slice(0, fieldErrorsMax) });
  }
  return { file, fields: { ...fields } };
}

/** Exactly one boundary, of the characters that RFC 2046 allows. */
function boundaryOf(type: string): string {
  const declared = [...type.matchAll(/;\s*boundary\s*=\s*([^;]*)/gi)].map(([, value = ""]) =>
    value.trim(),
  );
  const [boundary = ""] = declared.map((value) => /^"(.*)"$/.exec(value)?.[1] ?? value);
  if (declared.length !== 1 || !/^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary)) {
    throw new AppError("malformed_body");
  }
  return boundary;
}

function partsOf(bytes: Uint8Array, boundary: string, maxFileSize: number) {
  const limits = { maxParts: partsMax, maxHeaderSize: headersBytesMax, maxFileSize };
  const parser = new MultipartParser(boundary, limits);
  try {
    const parts = [...parser.write(readable(bytes, boundary))].map(formPart);
    parser.finish();
    return parts;
  } catch (cause) {
    const isTooLarge = cause instanceof MaxFileSizeExceededError;
    throw new AppError(isTooLarge ? "payload_too_large" : "malformed_body", { cause });
  }
}

/** Without the text before the first boundary (RFC 2046), and without line separators in headers: the parser refuses both. */
function readable(bytes: Uint8Array, boundary: string): Uint8Array {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const delimiter = `\r\n--${boundary}`;
  const isFirst = whole.toString("latin1", 0, delimiter.length - 2) === delimiter.slice(2);
  const preamble = isFirst ? 0 : whole.indexOf(delimiter, 0, "latin1") + 2;
  const body = preamble === 1 ? whole : whole.subarray(preamble);
  for (let at = 0, end = 0; at !== -1 && end !== -1; at = body.indexOf(delimiter, end, "latin1")) {
    end = body.indexOf("\r\n\r\n", at, "latin1");
    if (end !== -1) replaceLineSeparators(body.subarray(at, end));
  }
  return body;
}

function replaceLineSeparators(head: Buffer): void {
  for (const separator of ["\u2028", "\u2029"]) {
    for (let at = head.indexOf(separator); at !== -1; at = head.indexOf(separator, at))
      head.fill("_", at, at + 3);
  }
}

function formPart(part: MultipartPart) {
  // Not the part's own `filename`: it decodes the name and writes to the console where that fails.
  const { type, name, filename, filenameSplat } = ContentDisposition.from(
    part.headers["content-disposition"] ?? null,
  );
  if (type?.toLowerCase() !== "form-data" || name === undefined) {
    throw new Error("A part is not a named form field.");
  }
  const isFile = filename !== undefined || filenameSplat !== undefined;
  return { name, isFile, content: new Uint8Array(part.arrayBuffer) };
}

const messages = {
  repeated: "This part is there more than once.",
  file_needed: "This part must be there, and be a file with a name.",
  empty: "The file is empty.",
  invalid_text: "This part must be text without NUL.",
};

const refusal = (name: string, code: keyof typeof messages): FieldError => ({
  pointer: jsonPointer([name]),
  code,
  message: messages[code],
});
