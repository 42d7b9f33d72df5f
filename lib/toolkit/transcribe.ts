import * as z from "zod";
import type { Context } from "../context.js";
import { callToolkit } from "./call.js";

/** What the toolkit heard. */
export const Heard = z.object({
  text: z.string(),
  language: z.string(),
  confidence: z.number().min(0).max(1).nullish(),
  alternatives: z
    .array(z.object({ text: z.string(), confidence: z.number().min(0).max(1).nullish() }))
    .nullish(),
  /** Seconds from the beginning. */
  timestamps: z
    .array(z.object({ text: z.string(), start: z.number().min(0), end: z.number().min(0) }))
    .nullish(),
});
export type Heard = z.infer<typeof Heard>;

export interface Speech {
  audio: Uint8Array<ArrayBuffer>;
  contentType: string;
  fields: Record<string, string>;
}

/** Have speech written down. Nothing of it is kept here. Throws as `callToolkit`, or what it refuses. */
export function hear(ctx: Context, { audio, contentType, fields }: Speech): Promise<Heard> {
  const body = new FormData();
  body.set("audio", new Blob([audio], { type: contentType }), "audio");
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  return callToolkit(ctx, {
    operation: "transcribe",
    body,
    read: (text) => Heard.parse(JSON.parse(text)),
    refusals: { 413: "payload_too_large", 415: "audio_unsupported", 422: "audio_too_long" },
  });
}
