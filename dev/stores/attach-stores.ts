import { resolve } from "node:path";
import { type AttachedStores, attachStores } from "../../lib/self-hosted/embedded-stores/attach.js";

const program = [resolve("dev/run.mjs"), "stores"];

/** Attach to the embedded stores of a directory. Their process runs from source. */
export function attachFromSource(
  options: { directory?: string; fresh?: boolean } = {},
): Promise<AttachedStores> {
  return attachStores({ ...options, program });
}
