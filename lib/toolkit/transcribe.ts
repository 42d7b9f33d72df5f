import * as z from "zod";
import type { Context } from "../context.js";
import { callToolkit } from "./call.js";

const Transcription = z.object({
  text: z.string(),
  language: z.string(),
  confidence: z.number().min(0).max(1).nullish(),
  alternatives: z
    .array(z.object({ text: z.string(), confidence: z.number().min(0).max(1).nullish() }))
    .nullish(),
  timestamps: z
    .array(z.object({ text: z.string(), start: z.number().min(0), end: z.number().min(0) }))
    .nullish(),
});
type Transcription = z.infer<typeof Transcription>;

export interface Speech {
  audio: Uint8Array<ArrayBuffer>;
  contentType: string;
  fields: Record<string, string>;
}

/** Nothing is stored. Throws as `callToolkit`, and `payload_too_large`, `audio_unsupported`, `audio_too_long`. */
export function transcribeAudio(
  ctx: Context,
  { audio, contentType, fields }: Speech,
): Promise<Transcription> {
  const body = new FormData();
  body.set("audio", new Blob([audio], { type: contentType }), "audio");
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  return callToolkit(ctx, {
    operation: "transcribe",
    body,
    read: (text) => Transcription.parse(JSON.parse(text)),
    refusals: { 413: "payload_too_large", 415: "audio_unsupported", 422: "audio_too_long" },
  });
}
