import { createHash } from "node:crypto";
import { ALL_FORMATS, BufferSource, Input } from "mediabunny";

export interface ToolkitRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer>;
}

export interface ToolkitReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

const audioBytesMax = 4 * 1024 * 1024;
const secondsMax = 61;
const audioTypes = /^audio\/(webm|ogg|mp4|mpeg|wav|aac|3gpp)$/;

/** The toolkit's protocol. The answers depend only on the request, so they can be repeated. */
export function answerToolkit(apiKey: string) {
  return async (request: ToolkitRequest): Promise<ToolkitReply> => {
    const { method, path, headers } = request;
    const call = calls[`${method} ${path}`];
    if (!call) return failure(404, "not found");
    if (headers.authorization !== `Bearer ${apiKey}`) return failure(401, "unauthorized");
    return call(request);
  };
}

const calls: Record<string, (request: ToolkitRequest) => Promise<ToolkitReply>> = {
  "GET /health": async () => ({ status: 200, body: { status: "ok" } }),
  "POST /text/llm/": async (request) => {
    const prompt = lastMessage(json(request));
    return prompt === null
      ? failure(400, "messages must be given")
      : { status: 200, body: { completion: `Echo: ${prompt}` } };
  },
  "POST /llm/object": async (request) => {
    const body = json(request);
    const prompt = lastMessage(body);
    if (prompt === null || !isObject(body?.schema))
      return failure(400, "messages and schema needed");
    return { status: 200, body: { object: example(body.schema, prompt) } };
  },
  "POST /stt/transcribe/": transcribe,
};

async function transcribe({ headers, body }: ToolkitRequest): Promise<ToolkitReply> {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return failure(415, "multipart needed");
  const form = await new Response(body, { headers: { "content-type": type } })
    .formData()
    .catch(() => null);
  const audio = form?.get("audio");
  if (!form || !(audio instanceof Blob)) return failure(400, "audio needed");
  if (audio.size > audioBytesMax) return failure(413, "audio too large");
  if (!audioTypes.test(audio.type)) return failure(415, "audio type");
  const bytes = new Uint8Array(await audio.arrayBuffer());
  const seconds = await secondsOf(bytes);
  if (seconds === null) return failure(415, "audio unreadable");
  if (seconds > secondsMax) return failure(422, "audio too long");
  return { status: 200, body: transcriptOf(bytes, seconds, form) };
}

async function secondsOf(bytes: Uint8Array<ArrayBuffer>): Promise<number | null> {
  try {
    const input = new Input({ source: new BufferSource(bytes), formats: ALL_FORMATS });
    return (await (await input.getPrimaryAudioTrack())?.computeDuration()) ?? null;
  } catch {
    return null;
  }
}

/** The words are made from a hash of the audio. */
function transcriptOf(bytes: Uint8Array, seconds: number, form: FormData) {
  const digest = createHash("sha256").update(bytes).digest("hex");
  const words = [0, 1, 2].map((at) => `sound-${digest.slice(at * 4, at * 4 + 4)}`);
  const others = Number(form.get("alternatives") ?? 0);
  return {
    text: words.join(" "),
    language: String(form.get("language") ?? "en"),
    confidence: Number.parseInt(digest.slice(0, 2), 16) / 255,
    alternatives: Array.from({ length: others }, (_, at) => ({
      text: `${words.join(" ")} ${at + 1}`,
      confidence: 0.5,
    })),
    timestamps: words.map((text, at) => ({
      text,
      start: (seconds * at) / words.length,
      end: (seconds * (at + 1)) / words.length,
    })),
  };
}

function json({ body }: ToolkitRequest): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function lastMessage(body: Record<string, unknown> | null): string | null {
  const last: unknown = Array.isArray(body?.messages) ? body.messages.at(-1) : null;
  return isObject(last) && typeof last.content === "string" ? last.content : null;
}

/** A minimal value for a JSON Schema, with `prompt` as each string. */
function example(schema: Record<string, unknown>, prompt: string): unknown {
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if ("const" in schema) return schema.const;
  if (schema.type === "array") return isObject(schema.items) ? [example(schema.items, prompt)] : [];
  if (schema.type === "number" || schema.type === "integer") return Number(schema.minimum ?? 0);
  if (schema.type === "boolean") return true;
  if (schema.type === "string") return prompt;
  const properties = isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, part]) => [
      name,
      isObject(part) ? example(part, prompt) : null,
    ]),
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const failure = (status: number, error: string): ToolkitReply => ({ status, body: { error } });
