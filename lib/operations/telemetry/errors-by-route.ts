import * as z from "zod";
import type { Context } from "../../context.js";
import { catalogue, type ErrorCode, isServerError } from "../../errors.js";
import { drainBeforeReading, EventsUntil } from "./drain-before-reading.js";
import { recentSeries } from "./recent-series.js";

export const ErrorsByRoute = z.strictObject({
  minutes: z.int(),
  /** Requests that ended before this time are counted. */
  ...EventsUntil.shape,
  rows: z.array(
    z.strictObject({
      route: z.string(),
      code: z.string(),
      /** Null for a code unknown to this release. */
      status: z.int().nullable(),
      count: z.int(),
    }),
  ),
});
export type ErrorsByRoute = z.infer<typeof ErrorsByRoute>;

const rowsMax = 100;

/** The first 100 error codes per route in the last `minutes`; drains events first: server errors first, then by count. */
export async function errorsByRoute(ctx: Context, minutes: number): Promise<ErrorsByRoute> {
  const until = await drainBeforeReading(ctx);
  const series = await recentSeries(ctx, "http_errors_total{", minutes);
  const rows = series.map(({ labels: { route = "", code = "" }, value }) => ({
    route,
    code,
    status: code in catalogue ? catalogue[code as ErrorCode].status : null,
    count: value,
  }));
  const isOurs = ({ status, code }: (typeof rows)[number]) =>
    Number(isServerError(status ?? 0, code));
  rows.sort((one, other) => isOurs(other) - isOurs(one) || other.count - one.count);
  return { minutes, ...until, rows: rows.slice(0, rowsMax) };
}
