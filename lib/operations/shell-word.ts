/** For a command that an operator copies: an address may contain quotes and dollar signs. */
export function shellWord(text: string): string {
  return /^[\w@.:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
