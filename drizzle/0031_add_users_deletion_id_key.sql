-- no transaction
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_deletion_id_key ON users (deletion_id) WHERE deletion_id IS NOT NULL;
