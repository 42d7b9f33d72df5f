/** A call to a backup store failed. The message may be shown to operators. */
export class BackupStoreError extends Error {
  override readonly name = "BackupStoreError";

  constructor(
    message: string,
    /** Another try of the same call cannot succeed. */
    readonly isFinal = false,
  ) {
    super(message);
  }
}
