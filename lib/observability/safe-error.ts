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
    found.push({ ...described(at), frames: framesOf(at) });
  }
  return found;
}

/** Neon's driver stores the cause as `sourceError`. */
export function causeOf(error: Error): unknown {
  return error.cause ?? (error as { sourceError?: unknown }).sourceError;
}

/** drizzle puts the statement with its parameters into the message, and Postgres the rejected value: personal data. */
function described(error: Error): Pick<SafeError, "name" | "message"> {
  const { name, message } = error;
  if (message.startsWith("Failed query:")) return { name, message: "a query failed" };
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  // Neon's driver carries the errors of every Postgres; pg names its own "error".
  if (name !== "NeonDbError" && typeof severity !== "string") return { name, message };
  const state = typeof code === "string" ? ` (SQLSTATE ${code})` : "";
  return { name: "PostgresError", message: `${message.replace(/: ".*"$/s, "")}${state}` };
}

function framesOf({ stack }: Error): string | undefined {
  return stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}
