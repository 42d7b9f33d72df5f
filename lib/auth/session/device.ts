import * as z from "zod";

/** The app creates it once and keeps it on the device. */
export const DeviceId = z
  .string()
  .regex(/^[A-Za-z0-9._-]{8,128}$/, "Must be 8 to 128 characters of A-Z a-z 0-9 . _ -.")
  .meta({ examples: ["0c9d2f4e-8f0a-4b7c-9a55-1d2e3f4a5b6c"] });

export const Device = z
  .strictObject({
    id: DeviceId,
    name: z.string().trim().min(1).max(100).optional(),
    platform: z.enum(["ios", "android", "web"]).optional(),
    appVersion: z.string().max(32).optional(),
  })
  .meta({ id: "Device" });
export type Device = z.infer<typeof Device>;
