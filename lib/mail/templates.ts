import type { Env } from "../env.js";
import { cancelToken } from "./cancel-token.js";
import { mailCode } from "./codes.js";
import type { Mail, MailTemplate, Message } from "./mail.js";
import { undoToken } from "./undo-token.js";

export interface MailValidity {
  createdAt: Date;
  expiresAt: Date;
}

interface Content {
  subject: string;
  opening: string[];
  hasCode?: true;
  closing: string[];
}

const ignoreHint =
  "If this was not you, you can ignore this e-mail. Nothing happens without the code.";
const resetHint =
  "If this was not you, open Linguamate, choose “Forgot password” and set a new password. This signs out all devices.";
const secrecyHint = "Do not share this code. We will never ask you for it.";

const contents: Record<MailTemplate, Content> = {
  verify_email: {
    subject: "Confirm your e-mail address",
    opening: ["Welcome to Linguamate! Enter this code in the app to confirm your e-mail address:"],
    hasCode: true,
    closing: [ignoreHint],
  },
  address_taken: {
    subject: "You already have a Linguamate account",
    opening: [
      "Someone has just entered this e-mail address for a new Linguamate account, but you already have an account with it.",
      "If this was you: sign out in the app, then sign in with this e-mail address and the password of your existing account. If you do not know the password, choose “Forgot password” on the sign-in screen. We will send you a code to reset it.",
    ],
    closing: ["If this was not you, you do not need to do anything. Your account has not changed."],
  },
  sign_in_code: {
    subject: "Your sign-in code",
    opening: ["Enter this code in the app to sign in:"],
    hasCode: true,
    closing: [secrecyHint, ignoreHint],
  },
  reset_password: {
    subject: "Reset your password",
    opening: ["Enter this code in the app to set a new password:"],
    hasCode: true,
    closing: [secrecyHint, ignoreHint],
  },
  password_changed: {
    subject: "Your password has been changed",
    opening: ["The password of your Linguamate account has just been changed."],
    closing: ["If this was you, you do not need to do anything.", resetHint],
  },
  confirm_new_email: {
    subject: "Confirm your new e-mail address",
    opening: ["Enter this code in the app to use this e-mail address for your Linguamate account:"],
    hasCode: true,
    closing: [ignoreHint],
  },
  email_changed: {
    subject: "Your e-mail address has been changed",
    opening: ["The e-mail address of your Linguamate account has just been changed."],
    closing: ["If this was you, you do not need to do anything."],
  },
  email_change_undone: {
    subject: "Your e-mail address has been restored",
    opening: [
      "The change of the e-mail address of your Linguamate account has been undone.",
      "For your security we have signed out all devices and removed the password. Open Linguamate, choose “Forgot password” and set a new one.",
    ],
    closing: [],
  },
  token_reuse: {
    subject: "A device has been signed out",
    opening: [
      "We have signed out one of your devices because its sign-in was used twice. Someone may have copied it.",
      "Sign in again on that device to continue.",
    ],
    closing: ["If the app lists sessions that are not yours, end them and change your password."],
  },
  second_factor_changed: {
    subject: "Your second factor has been changed",
    opening: [
      "The authenticator app or the recovery codes of your Linguamate account have changed, or a recovery code was used.",
    ],
    closing: ["If this was you, you do not need to do anything.", resetHint],
  },
  deletion_requested: {
    subject: "Your account will be deleted",
    opening: [
      "You have asked us to delete your Linguamate account. All devices are signed out.",
      "In 14 days we will erase your account and your data. This cannot be undone then.",
    ],
    closing: [],
  },
  deletion_cancelled: {
    subject: "Your account will not be deleted",
    opening: [
      "The deletion of your Linguamate account has been cancelled. Everything is as it was. Sign in again to continue.",
    ],
    closing: [resetHint],
  },
};

/** Null for an unknown template or a missing code. Deterministic: a retry must send the same mail. */
export function renderMail(env: Env, mail: Mail, validity: MailValidity): Message | null {
  const content: Content | undefined = contents[mail.template];
  if (!content || (content.hasCode && mail.codeId === undefined)) return null;
  const { subject, opening, closing } = content;
  const code = content.hasCode && mail.codeId !== undefined ? mailCode(env, mail.codeId) : null;
  const blocks: Block[] = [
    ...opening.map(paragraph),
    ...(code === null ? [] : [{ code }, paragraph(lifetimeOf(validity))]),
    ...closing.map(paragraph),
    ...(mail.undoId === undefined
      ? []
      : [paragraph(undoInstructions), { token: undoToken(env, mail.undoId) }]),
    ...(mail.cancelId === undefined
      ? []
      : [paragraph(cancelInstructions), { token: cancelToken(env, mail.cancelId) }]),
  ];
  return { subject, text: textOf(blocks), html: htmlOf(subject, blocks) };
}

type Block = { paragraph: string } | { code: string } | { token: string };

const undoInstructions =
  "If this was not you, you can undo the change within 7 days: open Linguamate, choose “Undo a change of e-mail” on the sign-in screen, and paste this code:";
const cancelInstructions =
  "If this was not you, or if you have changed your mind: open Linguamate, choose “Keep my account” on the sign-in screen, and paste this code:";
const signature = "Linguamate";

const paragraph = (text: string): Block => ({ paragraph: text });

function lifetimeOf({ createdAt, expiresAt }: MailValidity): string {
  const minutes = Math.max(1, Math.round((expiresAt.getTime() - createdAt.getTime()) / 60_000));
  const end = `${expiresAt.toISOString().slice(11, 16)} UTC`;
  return `The code works once, for ${minutes === 1 ? "1 minute" : `${minutes} minutes`}, until ${end}.`;
}

function textOf(blocks: Block[]): string {
  const parts = blocks.map((block) => Object.values(block)[0] ?? "");
  return `${[...parts, signature].join("\n\n")}\n`;
}

const styles = {
  body: "margin:0;padding:24px;background:#ffffff;color:#1c1c1e;font:16px/1.5 system-ui,-apple-system,sans-serif",
  column: "max-width:520px;margin:0 auto",
  code: "margin:24px 0;font:700 32px/1.2 ui-monospace,Menlo,Consolas,monospace;letter-spacing:4px",
  token: "margin:16px 0;font:14px/1.4 ui-monospace,Menlo,Consolas,monospace;word-break:break-all",
  signature: "margin:32px 0 0;color:#6b6b70;font-size:14px",
} as const;

function htmlOf(subject: string, blocks: Block[]): string {
  const parts = blocks.map((block) => {
    if ("code" in block) return `<p style="${styles.code}">${escaped(block.code)}</p>`;
    if ("token" in block) return `<p style="${styles.token}">${escaped(block.token)}</p>`;
    return `<p>${escaped(block.paragraph)}</p>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(subject)}</title>
</head>
<body style="${styles.body}">
<div style="${styles.column}">
${parts.join("\n")}
<p style="${styles.signature}">${signature}</p>
</div>
</body>
</html>
`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);
