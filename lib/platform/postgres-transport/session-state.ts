/**
 * Whether a statement may leave something in its session that the next user of the connection would
 * see: settings, locks, temporary tables, prepared statements, an open transaction.
 *
 * Errs towards true: only plain reads and writes without a call known to change the session are false.
 */
export function leavesSessionState(text: string): boolean {
  const statement = withoutLeadingComment(text);
  return !plain.test(statement) || sessionCalls.test(statement);
}

/** A statement without the one comment that may say whose it is. */
export function withoutLeadingComment(text: string): string {
  return text.startsWith("/*") ? text.replace(leadingComment, "") : text;
}

/** Comments nest in Postgres: one that holds another is left as it is. */
const leadingComment = /^\/\*[^*/]*\*\/\s*/;
const plain = /^\s*(select|insert|update|delete|with|merge|values|table)\b/i;
const sessionCalls =
  /\b(set_config|setseed|dblink\w*|lo_\w+|pg_(try_)?advisory_lock\w*|into\s+(local\s+|global\s+)?temp\w*|pg_temp\w*)\b/i;
