export interface Mail {
  template: MailTemplate;
  /** An address, or the account whose bound address is looked up when the mail is sent. */
  to: { email: string } | { userId: string };
  /** The row of `mail_codes` whose code the mail contains. */
  codeId?: string;
  /** The change of e-mail that the token in the mail undoes. */
  undoId?: string;
  /** The deletion of the account that the token in the mail cancels. */
  cancelId?: string;
}

export type MailTemplate =
  | "verify_email"
  | "address_taken"
  | "sign_in_code"
  | "reset_password"
  | "password_changed"
  | "confirm_new_email"
  | "email_changed"
  | "email_change_undone"
  | "token_reuse"
  | "second_factor_changed"
  | "deletion_requested"
  | "deletion_cancelled";

/** A rendered mail. */
export interface Message {
  subject: string;
  text: string;
  html: string;
}
