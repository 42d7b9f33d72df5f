-- no transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS security_events_account_id_idx ON security_events ((data ->> 'accountId'), at);
