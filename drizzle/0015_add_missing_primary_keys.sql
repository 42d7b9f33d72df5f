-- A table without a primary key cannot be updated or deleted from while it is in a publication of all tables.
ALTER TABLE alert_transitions ADD PRIMARY KEY (key, minute);
--> statement-breakpoint
ALTER TABLE alert_transitions DROP CONSTRAINT alert_transitions_key_minute_key;
--> statement-breakpoint
-- Keeps the drain waiting while the index is built; no request writes here, and events wait in Redis.
ALTER TABLE access_log ADD PRIMARY KEY (inserted_at, id);
