export interface ScheduleItem {
  /** `daily`, or another frequency of the store. */
  frequency: string;
  /** The hour of the day in UTC. */
  hour: number | null;
  /** Of the week or month. */
  day: number | null;
  month: number | null;
  /** Null when the store does not say. */
  retentionSeconds: number | null;
}

export interface Snapshot {
  id: string;
  name: string;
  at: Date;
  /** Null: kept until it is deleted. */
  expiresAt: Date | null;
  isManual: boolean;
}

/** A copy of the live database, made by a restore drill. */
interface Copy {
  id: string;
  name: string;
  createdAt: Date;
}

/** Where backups are. Every method rejects with a `BackupStoreError`; all but `takeSnapshot` and `createCopy` may be repeated. */
export interface BackupStore {
  /** For people. */
  name: string;
  readSchedule(): Promise<ScheduleItem[]>;
  /** An item that `readSchedule` of the same object returned is written back whole, with what only the store knows. */
  setSchedule(items: ScheduleItem[]): Promise<void>;
  /** Of the live database only. */
  listSnapshots(): Promise<Snapshot[]>;
  takeSnapshot(snapshot: { name: string; expiresAt: Date }): Promise<Snapshot>;
  /** History grows from the first backup on, so that it cannot yet be as long as it will be. */
  historyGrows: boolean;
  /** How far back any moment can be restored. Left out by a store that can only restore its snapshots. */
  readRecoverySeconds?(): Promise<number>;
  /** Of what the backups are taken from, and of what they need. */
  readState(): Promise<{ isReady: boolean; detail: string }>;
  /** Why this store is about another database than that of `DATABASE_URL`; null if it is not. Left out by a store that reads `DATABASE_URL` itself. */
  findMismatch?(): Promise<string | null>;
  /** The time that a drill restores, where only the store can tell which it can. */
  chooseTarget(): Promise<Date>;
  /** The database that the live one was made from; null without one. Left out by a store that does not keep it. */
  findSource?(): Promise<string | null>;
  /** Of the live database as it was at `at`. A store that can deletes it at `expiresAt`, others by the next drill; one of archives makes the moment that `chooseTarget` returned. Returns the store's own tasks that make it. */
  createCopy(copy: { name: string; at: Date; expiresAt: Date }): Promise<{ operations: string[] }>;
  /** Copies of the live database whose name starts with `prefix`. Never the live database itself. */
  listCopies(prefix: string): Promise<Copy[]>;
  /** For a store whose list may leave out a copy that it has. */
  hasCopy?(copyId: string): Promise<boolean>;
  /** False while it is being made. Rejects with a final error when it cannot become ready. */
  isReady(copyId: string, operations: string[]): Promise<boolean>;
  /** Of a copy or the source. A secret. */
  connectionUri(id: string): Promise<string>;
  /** A copy that does not exist is no error. Rejects with a `CopyKeptError` for one that is in use or protected. */
  deleteCopy(copyId: string): Promise<void>;
}
