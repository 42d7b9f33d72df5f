/** Whether a statement may change session state (settings, locks, temporary tables, transactions). When unsure, true. */
export function leavesSessionState(text: string): boolean {
  const statement = withoutLeadingComment(text);
  return !plain.test(statement) || sessionCalls.test(statement);
}

/** A SELECT without row locks, for which others on its connection would wait. */
export function isPlainRead(text: string): boolean {
  return select.test(text) && !rowLock.test(text);
}

export function withoutLeadingComment(text: string): string {
  return text.startsWith("/*") ? text.replace(leadingComment, "") : text;
}

/** Postgres comments can nest; nested ones are left in. */
const leadingComment = /^\/\*[^*/]*\*\/\s*/;
const plain = /^\s*(select|insert|update|delete|with|merge|values|table)\b/i;
const select = /^\s*select\b/i;
const rowLock = /\bfor\s+(update|share|no\s+key|key)\b/i;
const sessionCalls =
  /\b(set_config|setseed|dblink\w*|lo_\w+|pg_(try_)?advisory_lock\w*|into\s+(local\s+|global\s+)?temp\w*|pg_temp\w*)\b/i;
