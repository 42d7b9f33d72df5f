CREATE INDEX xp_entries_user_idx ON xp_entries (user_id);
