import { type BodyLimits, bodyLimits } from "../../body-limits.js";
import { AppError } from "../../errors.js";

/** On `globalThis`, because each function of `dev:server` has its own modules. */
const slot = Symbol.for("linguamate.unfinishedBodies");
const shared = globalThis as { [slot]?: { bytes: number } };

/**
 * Read a body of at most `bytesMax` bytes. Throws `payload_too_large`, `body_timeout`, `malformed_body` for
 * an aborted one, and `service_unavailable` while unfinished bodies use all of their shared memory.
 */
export async function readBytes(
  request: Request,
  bytesMax: number,
  { idleMsMax, totalMsMax, bufferedBytesMax }: BodyLimits = bodyLimits,
): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) {
    throw new AppError("payload_too_large");
  }
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  shared[slot] ??= { bytes: 0 };
  const unfinished = shared[slot];
  let bytes: Uint8Array = new Uint8Array();
  let length = 0;
  const hold = (next: Uint8Array) => {
    if (unfinished.bytes + next.length - bytes.length > bufferedBytesMax) {
      const cause = new Error("Unfinished request bodies use all of their memory budget.");
      const retryAfterSeconds = Math.ceil(idleMsMax / 1000);
      throw new AppError("service_unavailable", { cause, retryAfterSeconds });
    }
    unfinished.bytes += next.length - bytes.length;
    bytes = next;
  };
  let isLate = false;
  const expire = () => {
    isLate = true;
    // Ends the pending read.
    reader.cancel().catch(() => {});
  };
  const silence = setTimeout(expire, idleMsMax);
  const arrival = setTimeout(expire, totalMsMax);
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause) => {
        throw new AppError("malformed_body", { cause });
      });
      if (isLate) throw new AppError("body_timeout");
      if (done) return bytes.subarray(0, length);
      silence.refresh();
      const total = length + value.length;
      if (total > bytesMax) throw new AppError("payload_too_large");
      // One growing buffer: a list of one-byte chunks needs far more memory than the body.
      if (length === 0) hold(value);
      else if (total > bytes.length) hold(grown(bytes, Math.min(bytesMax, total * 2)));
      if (length > 0) bytes.set(value, length);
      length = total;
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    clearTimeout(silence);
    clearTimeout(arrival);
    unfinished.bytes -= bytes.length;
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
