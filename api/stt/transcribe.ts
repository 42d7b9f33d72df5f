import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import {
  audioBytesMax,
  Transcript,
  TranscriptionOptions,
  transcribe,
} from "../../lib/tutor/transcribe.js";

export const config = { maxDuration: 60 };

const POST = endpoint({
  summary: "Transcribe a recording of at most 60 s. It is not stored.",
  auth: "user",
  limits: ["default", "speech", "toolkit"],
  upload: { part: "audio", fileBytesMax: audioBytesMax },
  body: TranscriptionOptions,
  replies: { 200: Transcript },
  errors: ["audio_unsupported", "audio_too_long"],
  handle: ({ ctx, file, body }) => transcribe(ctx, file, body),
});

export default route("/api/stt/transcribe", { POST });
