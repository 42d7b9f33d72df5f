import * as z from "zod";
import { AppError, catalogue } from "../../errors.js";
import { memoizeByObject } from "../../memoize-by-object.js";
import type { Endpoint } from "../endpoint.js";
import type { Call } from "../exchange.js";
import { reportBodyAttack } from "../report-attacks.js";
import { readJsonBody, readText } from "./json-body.js";
import type { Upload } from "./multipart-body.js";
import type { Credential } from "./require-credential.js";
import { validBody } from "./valid-body.js";

export interface Body {
  body?: unknown;
  file?: Uint8Array<ArrayBuffer>;
  raw?: string;
}

/** A body that limits count by is read before the caller is known. */
const bytesMaxByDefault = { identifying: 16 * 1024, other: 64 * 1024 };

export function bodyBytesMaxOf({ bodyBytesMax, identify }: Endpoint): number {
  return bodyBytesMax ?? bytesMaxByDefault[identify ? "identifying" : "other"];
}

/** Every field is optional: a request without a body means `{}`. */
export const isBodyOptional = memoizeByObject(
  (schema: z.ZodType) => schema instanceof z.ZodObject && schema.safeParse({}).success,
);

/** Read and validate the body in the endpoint's form: JSON, multipart, raw text, or none. Reports attacks in it. */
export async function readBody(
  { endpoint, ctx, request }: Call,
  { claims }: Credential,
): Promise<Body> {
  const { auth, body: schema, upload } = endpoint;
  const bytesMax = bodyBytesMaxOf(endpoint);
  if (auth === "webhook") return { raw: await readText(request, bytesMax) };
  const form = upload && (await readForm(request, upload));
  const file = form && { file: form.file };
  if (!schema) return { ...file };
  const value = form ? form.fields : await readJsonBody(request, bytesMax, isBodyOptional(schema));
  if (!form) reportBodyAttack(ctx, value);
  return { ...file, body: validBody(ctx, schema, value, claims?.userId) };
}

/** Few functions have uploads, so the others start without this code. */
async function readForm(request: Request, upload: Upload) {
  const { readMultipart } = await import("./multipart-body.js");
  return readMultipart(request, upload);
}

export interface FirstBody extends Body {
  /** Why the body was refused. */
  refusal?: AppError;
}

/** The same before the limits; renews `ctx.now`. What is wrong with the body is returned, because a block comes before it. */
export async function readBodyFirst(call: Call, credential: Credential): Promise<FirstBody> {
  try {
    return await readBody(call, credential);
  } catch (error) {
    if (error instanceof AppError && catalogue[error.code].status < 500) return { refusal: error };
    throw error;
  } finally {
    // A slow body must not use a code or a window of the past.
    call.ctx.now = new Date();
  }
}
