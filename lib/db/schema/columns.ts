import { customType } from "drizzle-orm/pg-core";

/** Selected as seconds since the epoch, see `withStableFormats`. */
export const at = customType<{ data: Date; driverData: string | number }>({
  dataType: () => "timestamp with time zone",
  toDriver: (date) => date.toISOString(),
  fromDriver: (value) =>
    isNumber.test(String(value)) ? fromEpoch(Number(value)) : new Date(value),
});

const isNumber = /^-?\d+(\.\d+)?$/;

const fromEpoch = (seconds: number) => new Date(Math.floor(Math.round(seconds * 1e6) / 1000));
