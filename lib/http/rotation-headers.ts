import { DeviceId } from "../auth/session/device.js";
import type { RotationRequest } from "../auth/session/refresh.js";
import { AppError } from "../errors.js";

const rotationIdForm = /^[!-~]{22,128}$/;

/** `Rotation-Id` and `Device-Id`, or null. Throws `rotation_id_invalid`; an invalid device ID is ignored. */
export function rotationHeaders(
  headers: Headers,
): Pick<RotationRequest, "rotationId" | "deviceId"> {
  const rotationId = headers.get("rotation-id");
  if (rotationId !== null && !rotationIdForm.test(rotationId)) {
    throw new AppError("rotation_id_invalid");
  }
  return { rotationId, deviceId: deviceHeader(headers) };
}

export function deviceHeader(headers: Headers): string | null {
  const deviceId = DeviceId.safeParse(headers.get("device-id"));
  return deviceId.success ? deviceId.data : null;
}
