-- Erasures that the restore program has read beside the backups: only it can read them there.
CREATE TABLE restored_erasures (
  user_id uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL
);
--> statement-breakpoint
-- Null when the log beside the backups could not be read.
ALTER TABLE security_settings ADD COLUMN erasures_handed_over_at timestamptz;
