const dayMs = 86_400_000;
const idleDays = 30;
const absoluteDays = 180;
const guestIdleDays = 400;

/** How long a session may go without a refresh. */
export function idleMs(isGuest: boolean): number {
  return (isGuest ? guestIdleDays : idleDays) * dayMs;
}

/** When a session ends however much it is used; a guest's does not, for a guest cannot sign in again. */
export function absoluteEnd(isGuest: boolean, begun: Date): Date | null {
  return isGuest ? null : new Date(begun.getTime() + absoluteDays * dayMs);
}
