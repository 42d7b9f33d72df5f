import * as z from "zod";
import { AppError } from "../errors.js";

/** An ID in a path, in lower case. Throws `not_found` for text that is no UUID. */
export function uuidParam(text: string | undefined): string {
  const { data } = z.uuid().safeParse(text);
  if (data === undefined) throw new AppError("not_found");
  return data.toLowerCase();
}
