CREATE TABLE course_versions (
  course_id uuid NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  target_language text NOT NULL,
  native_language text NOT NULL,
  digest text NOT NULL,
  course jsonb NOT NULL,
  learn jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  replaced_at timestamptz,
  PRIMARY KEY (course_id, version)
);
--> statement-breakpoint
CREATE TABLE courses (
  id uuid PRIMARY KEY,
  target_language text NOT NULL,
  native_language text NOT NULL,
  version integer NOT NULL,
  published_at timestamptz NOT NULL,
  UNIQUE (target_language, native_language),
  FOREIGN KEY (id, version) REFERENCES course_versions (course_id, version)
);
--> statement-breakpoint
CREATE TABLE lessons (
  id uuid NOT NULL,
  version integer NOT NULL,
  course_id uuid NOT NULL,
  position smallint NOT NULL,
  unit smallint NOT NULL,
  requires uuid[] NOT NULL,
  xp_reward smallint NOT NULL,
  perfect_bonus smallint NOT NULL,
  lesson jsonb NOT NULL,
  exercises jsonb NOT NULL,
  keys jsonb NOT NULL,
  words uuid[] NOT NULL,
  PRIMARY KEY (id, version),
  FOREIGN KEY (course_id, version) REFERENCES course_versions (course_id, version)
);
--> statement-breakpoint
CREATE UNIQUE INDEX lessons_course_idx ON lessons (course_id, version, position);
--> statement-breakpoint
CREATE TABLE words (
  id uuid NOT NULL,
  version integer NOT NULL,
  course_id uuid NOT NULL,
  position smallint NOT NULL,
  word jsonb NOT NULL,
  keys jsonb NOT NULL,
  PRIMARY KEY (id, version),
  FOREIGN KEY (course_id, version) REFERENCES course_versions (course_id, version)
);
--> statement-breakpoint
CREATE UNIQUE INDEX words_course_idx ON words (course_id, version, position);
