import { mailedToken } from "./mailed-token.js";

/** Undoes the change of e-mail with this ID. */
export const { issue: undoToken, verify: verifyUndoToken } = mailedToken(
  "ue1",
  "undo-email-change",
);
