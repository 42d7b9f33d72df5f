/**
 * The table of "Refresh: exact semantics" by itself, for one session: what a server may answer to a
 * genuine token. It knows nothing of SQL, and its clock is moved by whoever walks.
 */
export interface RefreshModel {
  isEnded: boolean;
  counter: number;
  /** Of the rotation that made the counter what it is. */
  last: { rotationId: string | null; device: string | null; at: number; joined: string[] } | null;
  /** The last time that somebody without a Rotation-Id was given a successor again. */
  blind: { presented: number; at: number } | null;
}

export interface Presented {
  counter: number;
  rotationId: string | null;
  device: string | null;
}

/** The successor's counter, or that the session has ended. */
export type Answer = { successor: number } | "ended";

export const newSession: RefreshModel = { isEnded: false, counter: 0, last: null, blind: null };

/** What is answered to `presented` at `now`, in seconds, and the session afterwards. */
export function answerOf(
  session: RefreshModel,
  presented: Presented,
  now: number,
): [Answer, RefreshModel] {
  const { counter, last, blind } = session;
  const { rotationId, device } = presented;
  const again: Answer = { successor: counter };
  if (session.isEnded) return ["ended", session];
  if (presented.counter >= counter) {
    const next = presented.counter + 1;
    const rotated = { rotationId, device, at: now, joined: [] };
    return [{ successor: next }, { ...session, counter: next, last: rotated }];
  }
  const stolen: [Answer, RefreshModel] = ["ended", { ...session, isEnded: true }];
  if (presented.counter < counter - 1 || !last) return stolen;
  if (rotationId === null) {
    const isFresh = now - last.at <= 120;
    const isOnlyOne = !blind || blind.presented === presented.counter || now - blind.at > 120;
    if (last.rotationId !== null || !isFresh || !isOnlyOne) return stolen;
    return [again, { ...session, blind: { presented: presented.counter, at: now } }];
  }
  if (rotationId === last.rotationId || last.joined.includes(rotationId)) return [again, session];
  if (device === null || device !== last.device || now - last.at > 10) return stolen;
  return [again, { ...session, last: { ...last, joined: [...last.joined, rotationId] } }];
}
