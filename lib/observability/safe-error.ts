/** An error as records may hold it: without the values that some messages repeat. Not yet redacted. */
export interface SafeError {
  name: string;
  message: string;
  /** The frames of its stack alone: the message begins a stack and may have many lines. */
  frames: string | undefined;
}

const causesMax = 5;

/** An error and what caused it, the outermost first. */
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

/** Neon's driver keeps the failure of its transport under a name of its own. */
export function causeOf(error: Error): unknown {
  return error.cause ?? (error as { sourceError?: unknown }).sourceError;
}

/**
 * People's data is in the messages of failed queries: drizzle puts the statement and its parameters
 * there, and Postgres the value that it refused.
 */
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
