import * as z from "zod";
import { type JsonEndpoint, startJsonEndpoint } from "./json-endpoint.js";

export interface WebhookEndpoint extends JsonEndpoint {
  /** The posted texts, oldest first. */
  messages(): readonly string[];
  forget(): void;
}

const Message = z.object({ text: z.string().min(1).max(40_000) });

/** An incoming webhook of Slack. It accepts `{text}` and answers other bodies with Slack's errors. */
export async function startWebhookEndpoint(): Promise<WebhookEndpoint> {
  const messages: string[] = [];
  const endpoint = await startJsonEndpoint(({ method, body }) => {
    if (method !== "POST") return { status: 405, body: "invalid_method" };
    const read = Message.safeParse(body);
    if (body === undefined) return { status: 400, body: "invalid_payload" };
    if (!read.success) return { status: 400, body: "no_text" };
    messages.push(read.data.text);
    return { status: 200, body: "ok" };
  });
  return { ...endpoint, messages: () => messages, forget: () => void messages.splice(0) };
}
