CREATE INDEX suppressed_addresses_created_at_idx ON suppressed_addresses (created_at);
