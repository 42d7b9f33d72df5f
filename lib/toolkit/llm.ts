import * as z from "zod";
import type { Context } from "../context.js";
import { type Answer, sharedAnswer } from "./answer.js";
import { callToolkit, type ToolkitCall } from "./call.js";

interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Ask<S extends z.ZodType> {
  messages: Message[];
  answer: S;
  deadlineMs?: number;
  /** True only if any user with the same request may get the same answer: then it is cached. */
  isShared: boolean;
}

/** The completion as text, or the JSON in it if the schema is not a string. Throws as `callToolkit`. */
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

/** The toolkit makes the object from the schema. Throws as `callToolkit`. */
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

/** The first valid JSON in a completion that may have fences or prose. Throws without valid JSON. */
function jsonIn<S extends z.ZodType>(completion: string, answer: S): z.output<S> {
  for (const text of candidates(completion)) {
    try {
      return answer.parse(JSON.parse(text));
    } catch {}
  }
  throw new Error("The completion contains no valid answer.");
}

function* candidates(completion: string): Generator<string> {
  yield* completion.split(/^[ \t]*```.*$/m);
  yield completion.slice(completion.indexOf("{"), completion.lastIndexOf("}") + 1);
  yield completion.slice(completion.indexOf("["), completion.lastIndexOf("]") + 1);
}

async function ask<T>(
  ctx: Context,
  isShared: boolean,
  call: ToolkitCall<T> & { body: string },
): Promise<Answer<T>> {
  if (isShared) return sharedAnswer(ctx, call);
  return { value: await callToolkit(ctx, call), ageSeconds: 0, degraded: false };
}
