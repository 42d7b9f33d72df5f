import * as z from "zod";

/** A UUID that a client sends, in the case in which Postgres returns it. */
export const ClientId = z.uuid().toLowerCase();
