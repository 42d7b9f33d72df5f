ALTER TABLE sessions DROP COLUMN concurrent_at;
