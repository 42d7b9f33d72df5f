ALTER TABLE sessions ADD COLUMN concurrent_at timestamptz;
