import { DeviceId } from "../auth/session/device.js";
import type { RotationClient } from "../auth/session/refresh.js";
import { AppError } from "../errors.js";

/** Visible ASCII, so that 128 random bits may be written in any base. */
const rotationIdForm = /^[!-~]{22,128}$/;

/**
 * `Rotation-Id` and `Device-Id`, each null when it is not sent. Throws `rotation_id_invalid` for one that
 * could be guessed; what is no device's id counts as none, for it must not cost anybody their session.
 */
export function rotationHeaders(headers: Headers): Pick<RotationClient, "rotationId" | "deviceId"> {
  const rotationId = headers.get("rotation-id");
  if (rotationId !== null && !rotationIdForm.test(rotationId)) {
    throw new AppError("rotation_id_invalid");
  }
  return { rotationId, deviceId: deviceHeader(headers) };
}

/** `Device-Id`, or null. */
export function deviceHeader(headers: Headers): string | null {
  const deviceId = DeviceId.safeParse(headers.get("device-id"));
  return deviceId.success ? deviceId.data : null;
}
