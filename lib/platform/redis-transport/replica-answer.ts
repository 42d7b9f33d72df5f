/**
 * Does Redis answer as a replica? After a failover its address leads new connections to the new primary,
 * and an old one stays where it is. In an error of a script, before Redis 7, the name stands within.
 */
export function isReplicaAnswer(error: string): boolean {
  return /(^|[-\s])(READONLY|MASTERDOWN)\b/.test(error);
}
