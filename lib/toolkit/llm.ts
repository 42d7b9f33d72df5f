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
      return answer instanceof z.ZodString ? answer.parse(completion) : jsonIn(completion, answer);
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

/** The answer in a model's words, fenced or among prose. Throws where there is none. */
function jsonIn<S extends z.ZodType>(completion: string, answer: S): z.output<S> {
  for (const text of candidates(completion)) {
    try {
      return answer.parse(JSON.parse(text));
    } catch {
      // Brackets and fences stand in prose as well: the next candidate may be it.
    }
  }
  throw new Error("The answer is not in it.");
}

/** Where JSON may stand: alone, in a fence, or from the first bracket of its kind to the last. */
function* candidates(completion: string): Generator<string> {
  yield* completion.split(/^[ \t]*```.*$/m);
  yield completion.slice(completion.indexOf("{"), completion.lastIndexOf("}") + 1);
  yield completion.slice(completion.indexOf("["), completion.lastIndexOf("]") + 1);
}

async function ask<T>(
  ctx: Context,
  isShared: boolean,
  call: Call<T> & { body: string },
): Promise<Answer<T>> {
  if (isShared) return sharedAnswer(ctx, call);
  return { value: await callToolkit(ctx, call), ageSeconds: 0, degraded: false };
}
