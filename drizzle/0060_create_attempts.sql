DROP TABLE xp_entries;
--> statement-breakpoint
CREATE TABLE learners (
  user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  revision bigint NOT NULL CHECK (revision > 0),
  total_xp integer NOT NULL CHECK (total_xp >= 0)
);
--> statement-breakpoint
CREATE TABLE attempts (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id uuid NOT NULL,
  lesson_id uuid NOT NULL,
  course_id uuid NOT NULL,
  version integer NOT NULL,
  state text NOT NULL CHECK (state IN ('started', 'completed', 'abandoned')),
  seed integer NOT NULL,
  pack_id uuid,
  started_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  completed_at timestamptz,
  local_date date,
  zone text,
  is_perfect boolean,
  result jsonb,
  revision bigint NOT NULL,
  PRIMARY KEY (user_id, id),
  CHECK ((state = 'completed') = (completed_at IS NOT NULL AND local_date IS NOT NULL AND zone IS NOT NULL
    AND is_perfect IS NOT NULL AND result IS NOT NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX attempts_open_idx ON attempts (user_id, lesson_id) WHERE state = 'started' AND pack_id IS NULL;
--> statement-breakpoint
CREATE TABLE attempt_answers (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  attempt_id uuid NOT NULL,
  id uuid NOT NULL,
  exercise_id uuid NOT NULL,
  try_number smallint NOT NULL CHECK (try_number > 0),
  answer jsonb NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('right', 'typo', 'accent', 'wrong', 'skipped')),
  rules text[] NOT NULL,
  grader_version integer NOT NULL,
  duration_ms integer,
  answered_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, attempt_id, id),
  CONSTRAINT attempt_answers_try_key UNIQUE (user_id, attempt_id, exercise_id, try_number),
  -- The attempts of a guest move to its account with their answers.
  FOREIGN KEY (user_id, attempt_id) REFERENCES attempts (user_id, id) ON UPDATE CASCADE ON DELETE CASCADE
);
--> statement-breakpoint
CREATE TABLE lesson_progress (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  lesson_id uuid NOT NULL,
  course_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('completed', 'tested_out')),
  completions integer NOT NULL,
  first_completed_at timestamptz,
  revision bigint NOT NULL,
  PRIMARY KEY (user_id, lesson_id),
  CHECK ((state = 'completed') = (completions > 0 AND first_completed_at IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE xp_entries (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind text NOT NULL,
  fact text NOT NULL,
  xp integer NOT NULL CHECK (xp >= 0),
  local_date date NOT NULL,
  earned_at timestamptz NOT NULL,
  revision bigint NOT NULL,
  PRIMARY KEY (user_id, kind, fact)
);
