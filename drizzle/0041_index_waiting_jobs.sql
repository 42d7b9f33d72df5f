-- no transaction
-- Operators list and count the jobs that wait; without it both read the done jobs of a week too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS queue_entries_waiting_jobs_idx ON queue_entries (run_after, id) WHERE key IS NOT NULL AND done_at IS NULL AND dead_at IS NULL;
