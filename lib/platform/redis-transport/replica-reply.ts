/** An old connection stays on the old primary after a failover. Scripts before Redis 7 wrap the error code. */
export function isReplicaReply(error: string): boolean {
  return /(^|[-\s])(READONLY|MASTERDOWN)\b/.test(error);
}
