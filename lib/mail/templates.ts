import type { Env } from "../env.js";
import { mailCode } from "./codes.js";
import type { Mail, MailTemplate, Message } from "./mail.js";
import { undoToken } from "./undo-token.js";

/** From when until when what a mail tells is of use. */
export interface Validity {
  createdAt: Date;
  expiresAt: Date;
}

/** What a mail says, before it is put into text and HTML. */
interface Content {
  subject: string;
  /** Paragraphs before the code. */
  opening: string[];
  /** Does the mail tell a code, and how long that lives? */
  hasCode?: true;
  closing: string[];
}

const ignore = "If this was not you, you can ignore this mail: without the code nothing happens.";
const secure =
  "If this was not you, open Linguamate, choose “Forgot password” and set a new one: that signs out every device.";
const neverAsked = "Nobody at Linguamate will ever ask you for this code.";

const contents: Record<MailTemplate, Content> = {
  verify_email: {
    subject: "Confirm your e-mail address",
    opening: ["Welcome to Linguamate! Type this code in the app to confirm your address:"],
    hasCode: true,
    closing: [ignore],
  },
  address_taken: {
    subject: "You already have a Linguamate account",
    opening: [
      "This address has just been entered for another Linguamate account, but it belongs to one already.",
      "If this was you, you already have an account. To get into it, sign out in the app, then sign in with this address and the password of that account. If you do not know the password, choose “Forgot password” on the sign-in screen: we mail you a code to reset it.",
    ],
    closing: ["If this was not you, there is nothing to do: your account has not changed."],
  },
  sign_in_code: {
    subject: "Your sign-in code",
    opening: ["Type this code in the app to sign in:"],
    hasCode: true,
    closing: [neverAsked, ignore],
  },
  reset_password: {
    subject: "Reset your password",
    opening: ["Type this code in the app to set a new password:"],
    hasCode: true,
    closing: [neverAsked, ignore],
  },
  password_changed: {
    subject: "Your password has been changed",
    opening: ["The password of your Linguamate account has just been changed."],
    closing: ["If this was you, there is nothing to do.", secure],
  },
  confirm_new_email: {
    subject: "Confirm your new e-mail address",
    opening: ["Type this code in the app to use this address for your Linguamate account:"],
    hasCode: true,
    closing: [ignore],
  },
  email_changed: {
    subject: "Your e-mail address has been changed",
    opening: ["The address of your Linguamate account has just been changed."],
    closing: ["If this was you, there is nothing to do."],
  },
  email_change_undone: {
    subject: "Your e-mail address is this one again",
    opening: [
      "The change of the address of your Linguamate account has been taken back.",
      "To be safe we have signed out every device, and the password is void: open Linguamate, choose “Forgot password” and set a new one.",
    ],
    closing: [],
  },
  token_reuse: {
    subject: "A device has been signed out",
    opening: [
      "We have signed out one of your devices, because its sign-in was used twice, as if somebody had copied it.",
      "Sign in again on that device to go on.",
    ],
    closing: [
      "If you see sessions in the app that are not yours, end them and change your password.",
    ],
  },
  second_factor_changed: {
    subject: "Your second factor has been changed",
    opening: [
      "The authenticator app or the recovery codes of your Linguamate account have changed, or a recovery code was used.",
    ],
    closing: ["If this was you, there is nothing to do.", secure],
  },
};

/**
 * The words of a queued mail, with the codes that it tells; null for a template that this release does
 * not know. The same for the same row at any time: a repetition must equal the first try.
 */
export function renderMail(env: Env, mail: Mail, validity: Validity): Message | null {
  const content: Content | undefined = contents[mail.template];
  if (!content || (content.hasCode && mail.codeId === undefined)) return null;
  const { subject, opening, closing } = content;
  const code = content.hasCode && mail.codeId !== undefined ? mailCode(env, mail.codeId) : null;
  const token = mail.undoId === undefined ? null : undoToken(env, mail.undoId);
  const blocks: Block[] = [
    ...opening.map(paragraph),
    ...(code === null ? [] : [{ code }, paragraph(lifeOf(validity))]),
    ...closing.map(paragraph),
    ...(token === null ? [] : [paragraph(howToUndo), { token }]),
  ];
  return { subject, text: textOf(blocks), html: htmlOf(subject, blocks) };
}

type Block = { paragraph: string } | { code: string } | { token: string };

const howToUndo =
  "If it was not you, take the change back within 7 days: open Linguamate, choose “Undo a change of e-mail” on the sign-in screen, and paste this:";
const signature = "Linguamate";

const paragraph = (text: string): Block => ({ paragraph: text });

function lifeOf({ createdAt, expiresAt }: Validity): string {
  const minutes = Math.max(1, Math.round((expiresAt.getTime() - createdAt.getTime()) / 60_000));
  const end = `${expiresAt.toISOString().slice(11, 16)} UTC`;
  return `The code works once, for ${minutes === 1 ? "a minute" : `${minutes} minutes`}, until ${end}.`;
}

/** Plain text: a code or a token stands on a line of its own. */
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
