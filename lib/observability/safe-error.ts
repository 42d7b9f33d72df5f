/** An error without the values that some messages contain. Not yet redacted. */
export interface SafeError {
  name: string;
  message: string;
  /** Without the message, which can have several lines. */
  frames: string | undefined;
}

const causesMax = 5;

/** An error and at most 5 causes, outermost first. */
export function safeErrors(error: unknown): SafeError[] {
  if (!(error instanceof Error)) return [{ name: "", message: String(error), frames: undefined }];
  const found: SafeError[] = [];
  for (
    let at: unknown = error;
    at instanceof Error && found.length <= causesMax;
    at = causeOf(at)
  ) {
    found.push({ name: at.name, message: withoutValues(at), frames: framesOf(at) });
  }
  return found;
}

/** Neon's driver stores the cause as `sourceError`. */
export function causeOf(error: Error): unknown {
  return error.cause ?? (error as { sourceError?: unknown }).sourceError;
}

/** drizzle puts the statement with its parameters into the message, and Postgres the rejected value: personal data. */
function withoutValues({ name, message }: Error): string {
  if (message.startsWith("Failed query:")) return "a query failed";
  return name === "NeonDbError" ? message.replace(/: ".*"$/s, "") : message;
}

function framesOf({ stack }: Error): string | undefined {
  return stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}
