import { type BodyLimits, bodyLimits } from "../../body-limits.js";
import { AppError } from "../../errors.js";

/** The functions of `dev:server` have a module scope each, so they count on `globalThis`. */
const slot = Symbol.for("linguamate.unfinishedBodies");
const shared = globalThis as { [slot]?: { bytes: number } };

/**
 * The bytes of a body, of at most `bytesMax`, counted as they come. Throws `payload_too_large`,
 * `body_timeout`, `service_unavailable` while unfinished bodies hold all the memory that they may, or
 * `malformed_body` where the sender stops half-way.
 */
export async function readBytes(
  request: Request,
  bytesMax: number,
  { silenceMsMax, arrivalMsMax, unfinishedBytesMax }: BodyLimits = bodyLimits,
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
    if (unfinished.bytes + next.length - bytes.length > unfinishedBytesMax) {
      const cause = new Error("Unfinished bodies hold all the memory that they may.");
      const retryAfterSeconds = Math.ceil(silenceMsMax / 1000);
      throw new AppError("service_unavailable", { cause, retryAfterSeconds });
    }
    unfinished.bytes += next.length - bytes.length;
    bytes = next;
  };
  let isLate = false;
  const expire = () => {
    isLate = true;
    // It ends a read that waits.
    reader.cancel().catch(() => {});
  };
  const silence = setTimeout(expire, silenceMsMax);
  const arrival = setTimeout(expire, arrivalMsMax);
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
      // One buffer that grows: thousands of chunks of a byte each would weigh far more than the body.
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
