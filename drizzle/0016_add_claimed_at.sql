ALTER TABLE users ADD COLUMN claimed_at timestamptz;
