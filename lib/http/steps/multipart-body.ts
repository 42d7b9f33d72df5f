import { AppError, type FieldError } from "../../errors.js";
import { readBytes } from "./body-bytes.js";
import { decodeUtf8, isStorable } from "./json-body.js";
import { jsonPointer } from "./json-pointer.js";
import { partsOf } from "./multipart-parts.js";
import { fieldsMax } from "./validation.js";

/** What an endpoint takes that takes a file. */
export interface Upload {
  /** The name of the part that is the file. */
  part: string;
  fileBytesMax: number;
}

export interface Multipart {
  file: Uint8Array<ArrayBuffer>;
  /** The other parts, each a text. */
  fields: Record<string, string>;
}

/** Room for the other parts and their headers. */
const fieldsBytesMax = 16 * 1024;

/** More than any endpoint takes, and few enough to be told one by one. */
const partsMax = 32;

/**
 * A multipart body with one file. Throws what `readBytes` throws, `multipart_needed`, `malformed_body` or
 * `validation_failed` with a pointer to the part: it is missing, empty, there twice, or a file in place
 * of a text.
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
  let file: Uint8Array | undefined;
  for (const { name, isFile, content } of partsOf(bytes, boundary, partsMax)) {
    const isWanted = name === part;
    const text = isWanted || isFile ? null : decodeUtf8(content);
    if (isWanted ? file !== undefined : name in fields) refused.push(refusal(name, "repeated"));
    else if (isWanted && isFile) file = content;
    else if (text !== null && isStorable(text)) fields[name] = text;
    else refused.push(refusal(name, isWanted ? "file_needed" : "invalid_text"));
  }
  if (!file && refused.length === 0) refused.push(refusal(part, "file_needed"));
  if (file?.byteLength === 0) refused.push(refusal(part, "empty"));
  if (refused.length > 0) {
    throw new AppError("validation_failed", { fields: refused.slice(0, fieldsMax) });
  }
  if (!file || file.byteLength > fileBytesMax) throw new AppError("payload_too_large");
  return { file: new Uint8Array(file), fields: { ...fields } };
}

/** Only what RFC 2046 allows, said once. */
function boundaryOf(type: string): string {
  const said = [...type.matchAll(/;\s*boundary\s*=\s*([^;]*)/gi)].map(([, value = ""]) =>
    value.trim(),
  );
  const [boundary = ""] = said.map((value) => /^"(.*)"$/.exec(value)?.[1] ?? value);
  if (said.length !== 1 || !/^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary)) {
    throw new AppError("malformed_body");
  }
  return boundary;
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
