DROP INDEX users_deletion_id_key;
