import { DeviceId } from "../auth/session/device.js";
import type { RotationRequest } from "../auth/session/refresh.js";
import { AppError } from "../errors.js";

const rotationIdForm = /^[!-~]{22,128}$/;

/** Each null when absent. Throws `rotation_id_invalid`; an invalid device ID counts as absent. */
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
