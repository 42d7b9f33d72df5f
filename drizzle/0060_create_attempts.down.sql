DROP TABLE xp_entries, lesson_progress, attempt_answers, attempts, learners;
--> statement-breakpoint
CREATE TABLE xp_entries (
  source text NOT NULL,
  source_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  points integer NOT NULL,
  earned_at timestamptz NOT NULL,
  PRIMARY KEY (source, source_id)
);
--> statement-breakpoint
CREATE INDEX xp_entries_user_source_idx ON xp_entries (user_id, source, source_id);
