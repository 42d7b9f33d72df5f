/** A call to a backup store failed. The message may be shown to operators. */
export class BackupStoreError extends Error {
  override readonly name: string = "BackupStoreError";

  constructor(
    message: string,
    /** Another try of the same call cannot succeed. */
    readonly isFinal = false,
  ) {
    super(message);
  }
}

/** A copy that must not be deleted. */
export class CopyKeptError extends BackupStoreError {
  override readonly name = "CopyKeptError";

  constructor(message: string) {
    super(message, true);
  }
}
