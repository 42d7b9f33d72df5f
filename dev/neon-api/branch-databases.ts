/** The database of one branch. */
export interface BranchDatabase {
  /** For any role and database: a stand-in has one of each. */
  uri: string;
  drop(): Promise<void>;
}

/** The databases behind the stand-in of Neon's API. */
export interface BranchDatabases {
  /** Of the default branch, as it is now. */
  live: BranchDatabase;
  /** A real copy of the live database as it was at a past time. */
  copyOfLive(at: Date): Promise<BranchDatabase>;
  /** A real copy of what a snapshot or a branch holds now. */
  copyOf(database: BranchDatabase): Promise<BranchDatabase>;
  close(): Promise<void>;
}
