import * as z from "zod";

export const Pair = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  expiresIn: z.number(),
});
export type Pair = z.infer<typeof Pair>;
