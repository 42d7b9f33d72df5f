import * as z from "zod";
import type { Context } from "../context.js";
import { type Answer, sharedAnswer } from "./answer.js";
import { type Call, callToolkit } from "./call.js";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Ask<S extends z.ZodType> {
  messages: Message[];
  /** What the answer has to be; one that is not counts as a failure of the toolkit. */
  answer: S;
  /** Ms that the caller waits at most. */
  deadlineMs?: number;
  /** True only where anybody who asks the same may be given the same: then it is kept. */
  isShared: boolean;
}

/** Text of the model: as it is for a string, else the JSON that it holds. */
export function askForText<S extends z.ZodType>(
  ctx: Context,
  { messages, answer, deadlineMs, isShared }: Ask<S>,
): Promise<Answer<z.output<S>>> {
  return ask(ctx, isShared, {
    operation: "text",
    deadlineMs,
    body: JSON.stringify({ messages }),
    read(text) {
      const { completion } = z.object({ completion: z.string() }).parse(JSON.parse(text));
      return answer.parse(answer instanceof z.ZodString ? completion : jsonIn(completion));
    },
  });
}

/** An object that fits the schema, which the toolkit is sent as JSON Schema. */
export function askForObject<S extends z.ZodType>(
  ctx: Context,
  { messages, answer, deadlineMs, isShared }: Ask<S>,
): Promise<Answer<z.output<S>>> {
  return ask(ctx, isShared, {
    operation: "object",
    deadlineMs,
    body: JSON.stringify({ messages, schema: z.toJSONSchema(answer) }),
    read: (text) => answer.parse(z.object({ object: z.unknown() }).parse(JSON.parse(text)).object),
  });
}

/** The JSON in a model's words, fenced or among prose. Throws SyntaxError where there is none. */
function jsonIn(completion: string): unknown {
  const fenced = /```(?:json)?\s*\n?([\s\S]*?)```/i.exec(completion)?.[1];
  const text = (fenced ?? completion).trim();
  try {
    return JSON.parse(text);
  } catch (error) {
    const from = text.search(/[[{]/);
    const to = Math.max(text.lastIndexOf("}"), text.lastIndexOf("]"));
    if (from < 0 || to <= from) throw error;
    return JSON.parse(text.slice(from, to + 1));
  }
}

async function ask<T>(
  ctx: Context,
  isShared: boolean,
  call: Call<T> & { body: string },
): Promise<Answer<T>> {
  if (isShared) return sharedAnswer(ctx, call);
  return { value: await callToolkit(ctx, call), ageSeconds: 0, degraded: false };
}
