import { AppError } from "../../errors.js";

/** A part of a multipart body. */
export interface Part {
  name: string;
  /** True where the sender names a file, whatever the name. */
  isFile: boolean;
  /** A view of the body. */
  content: Uint8Array;
}

/** More than any part's headers need. */
const headersBytesMax = 4096;

/**
 * The parts of a multipart/form-data body (RFC 7578), at most `partsMax`. Throws `malformed_body`.
 *
 * They are read here because the parser of Node.js 20 refuses a `filename*`, which apps of React Native
 * 0.74 to 0.76 send (nodejs/undici#3760), and busboy leaves out in silence what it cannot read.
 */
export function partsOf(bytes: Uint8Array, boundary: string, partsMax: number): Part[] {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const delimiter = `\r\n--${boundary}`;
  const parts: Part[] = [];
  let at = firstDelimiterEnd(body, delimiter);
  while (body.toString("latin1", at, at + 2) !== "--") {
    const headersAt = indexOf(body, "\r\n", at);
    const headersEnd = indexOf(body, "\r\n\r\n", headersAt);
    const from = headersEnd + 4;
    const to = indexOf(body, delimiter, from);
    const isBegun = /^[ \t]*$/.test(body.toString("latin1", at, headersAt));
    if (!isBegun || headersEnd - headersAt > headersBytesMax || parts.length === partsMax) {
      throw new AppError("malformed_body");
    }
    const headers = body.toString("utf8", headersAt, headersEnd);
    parts.push({ ...dispositionIn(headers), content: body.subarray(from, to) });
    at = to + delimiter.length;
  }
  return parts;
}

/** Where the first part begins: with the body, or after a preamble that means nothing. */
function firstDelimiterEnd(body: Buffer, delimiter: string): number {
  const first = delimiter.slice(2);
  if (body.toString("latin1", 0, first.length) === first) return first.length;
  return indexOf(body, delimiter, 0) + delimiter.length;
}

/** Some clients put the name in quotes and some do not, and some give a file's name twice. */
function dispositionIn(headers: string): Pick<Part, "name" | "isFile"> {
  const [, said = ""] = /^content-disposition:[ \t]*form-data[ \t]*(;.*)$/im.exec(headers) ?? [];
  const parameters = [...said.matchAll(/;[ \t]*([\w*]+)=(?:"([^"]*)"|([^\s;"]+))/g)].map(
    ([, key = "", quoted, bare = ""]) => [key.toLowerCase(), quoted ?? bare] as const,
  );
  const name = parameters.find(([key]) => key === "name")?.[1];
  if (name === undefined) throw new AppError("malformed_body");
  return { name, isFile: parameters.some(([key]) => /^filename\*?$/.test(key)) };
}

function indexOf(body: Buffer, text: string, from: number): number {
  const at = body.indexOf(text, from, "latin1");
  if (at === -1) throw new AppError("malformed_body");
  return at;
}
