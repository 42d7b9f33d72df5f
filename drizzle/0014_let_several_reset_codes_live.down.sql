ALTER TABLE login_delays
  DROP COLUMN pass_taken_by,
  DROP COLUMN pass_until_ms,
  DROP COLUMN pass_device,
  DROP COLUMN pass_ip;
--> statement-breakpoint
DROP INDEX mail_codes_reset_email_idx;
--> statement-breakpoint
ALTER TABLE mail_codes DROP COLUMN device_id;
