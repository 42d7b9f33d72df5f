import * as z from "zod";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { transcribeAudio } from "../toolkit/transcribe.js";
import { LanguageTag } from "../user/language-tag.js";
import { audioSeconds } from "./audio-length.js";
import { audioTypeOf } from "./audio-type.js";

export const audioBytesMax = 4 * 1024 * 1024;
const secondsMax = 60;
/** Encoders pad the last frame. */
const secondsSpare = 0.5;

const Switch = z.enum(["true", "false"]);

export const TranscriptionOptions = z.strictObject({
  language: LanguageTag.optional(),
  formatting: z.enum(["none", "basic", "enhanced"]).optional(),
  punctuation: Switch.optional(),
  alternatives: z
    .string()
    .regex(/^([0-9]|10)$/, "A number from 0 to 10.")
    .meta({ examples: ["2"] })
    .optional(),
  autoDetectLanguage: Switch.optional(),
});
export type TranscriptionOptions = z.infer<typeof TranscriptionOptions>;

const confidence = z.number().min(0).max(1).nullable();

export const Transcript = z.strictObject({
  text: z.string(),
  language: z.string(),
  /** Null if the toolkit does not return it. */
  confidence,
  alternatives: z.array(z.strictObject({ text: z.string(), confidence })),
  /** Seconds from the start. */
  timestamps: z.array(z.strictObject({ text: z.string(), start: z.number(), end: z.number() })),
});
export type Transcript = z.infer<typeof Transcript>;

/** Stores neither audio nor text. Throws `audio_unsupported`, `audio_too_long` (over 60 s), or as `transcribeAudio`. */
export async function transcribe(
  ctx: Context,
  audio: Uint8Array<ArrayBuffer>,
  options: TranscriptionOptions,
): Promise<Transcript> {
  const contentType = audioTypeOf(audio);
  if (!contentType) throw new AppError("audio_unsupported");
  const seconds = await audioSeconds(audio, contentType).catch((cause) => {
    throw new AppError("audio_unsupported", { cause });
  });
  if (!seconds) throw new AppError("audio_unsupported");
  if (seconds > secondsMax + secondsSpare) throw new AppError("audio_too_long");
  const given = Object.entries(options).filter((pair): pair is [string, string] => !!pair[1]);
  const transcription = await transcribeAudio(ctx, {
    audio,
    contentType,
    fields: Object.fromEntries(given),
  });
  return {
    text: transcription.text,
    language: transcription.language,
    confidence: transcription.confidence ?? null,
    alternatives: (transcription.alternatives ?? []).map((other) => ({
      text: other.text,
      confidence: other.confidence ?? null,
    })),
    timestamps: transcription.timestamps ?? [],
  };
}
