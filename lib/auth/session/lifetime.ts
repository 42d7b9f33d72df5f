const dayMs = 86_400_000;
const idleDays = 30;
const absoluteDays = 180;
const guestIdleDays = 400;

export function idleTimeoutMs(isGuest: boolean): number {
  return (isGuest ? guestIdleDays : idleDays) * dayMs;
}

/** Null for guests, who could not sign in again. */
export function absoluteExpiry(isGuest: boolean, begun: Date): Date | null {
  return isGuest ? null : new Date(begun.getTime() + absoluteDays * dayMs);
}
