import { customType } from "drizzle-orm/pg-core";

/** A moment, read as a `Date`. What is selected comes as seconds since the epoch, see `fixedForms`. */
export const at = customType<{ data: Date; driverData: string | number }>({
  dataType: () => "timestamp with time zone",
  toDriver: (moment) => moment.toISOString(),
  fromDriver: (value) =>
    isNumber.test(String(value)) ? fromEpoch(Number(value)) : new Date(value),
});

/** Else it is ISO 8601, as Postgres writes it into JSON. */
const isNumber = /^-?\d+(\.\d+)?$/;

/** Of six decimals, three are kept, as `Date` keeps them of ISO 8601. */
const fromEpoch = (seconds: number) => new Date(Math.floor(Math.round(seconds * 1e6) / 1000));
