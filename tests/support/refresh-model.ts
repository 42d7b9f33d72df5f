/**
 * A model of the table "Refresh: exact semantics" for one session: the replies that a server may give to
 * a genuine token. It has no database, and the caller passes the time.
 */
export interface RefreshModel {
  isEnded: boolean;
  counter: number;
  /** The rotation that set the current counter. */
  last: { rotationId: string | null; device: string | null; at: number; joined: string[] } | null;
  /** The last time that a concurrent refresh of the same device got the successor of another. */
  joinedAt: number | null;
  /** The last time that a client without a Rotation-Id got the successor again. */
  blind: { presented: number; at: number } | null;
}

export interface Presented {
  counter: number;
  rotationId: string | null;
  device: string | null;
}

/** The counter of the successor, or "ended" for an ended session. */
export type Answer = { successor: number } | "ended";

export const newSession: RefreshModel = {
  isEnded: false,
  counter: 0,
  last: null,
  joinedAt: null,
  blind: null,
};

/** The reply to `presented` at `now` (in seconds), and the session afterwards. */
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
  // For one rotation in ten minutes.
  const isOnlyOne =
    last.joined.length > 0 || session.joinedAt === null || now - session.joinedAt > 600;
  if (!isOnlyOne) return stolen;
  const joined = { ...last, joined: [...last.joined, rotationId] };
  return [again, { ...session, last: joined, joinedAt: now }];
}
