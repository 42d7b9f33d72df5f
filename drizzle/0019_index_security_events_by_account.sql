-- no transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS security_events_account_idx ON security_events ((data ->> 'account'), at);
