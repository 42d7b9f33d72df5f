import { mailedToken } from "./mailed-token.js";

/** Cancels the pending deletion with this ID. */
export const { issue: cancelToken, verify: verifyCancelToken } = mailedToken(
  "cd1",
  "cancel-deletion",
);
