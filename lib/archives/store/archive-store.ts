export interface StoredObject {
  name: string;
  bytes: number;
  /** By the clock of the store. */
  modifiedAt: Date;
}

/** A folder or a bucket. Names are such as `dump/20261130T020000Z-1f2e3d4c.age`. */
export interface ArchiveStore {
  /** For messages. */
  description: string;
  /** The object is there completely or not at all. Replaces an object of this name. */
  put(name: string, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** Throws `ObjectMissingError` at the first read. */
  get(name: string): AsyncGenerator<Uint8Array>;
  /** Sorted by name. The prefix is a folder with its slash. */
  list(prefix: string): Promise<StoredObject[]>;
  find(name: string): Promise<StoredObject | undefined>;
  /** Of a missing object does nothing. */
  remove(name: string): Promise<void>;
  /** Parts of objects whose `put` was interrupted. Returns their number. */
  removeUnfinished(before: Date): Promise<number>;
}
