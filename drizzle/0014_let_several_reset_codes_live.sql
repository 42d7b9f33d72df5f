-- The device that asked for a reset code: the claim it made is bound. Null for codes of other purposes.
ALTER TABLE mail_codes ADD COLUMN device_id text;
--> statement-breakpoint
CREATE INDEX mail_codes_reset_email_idx ON mail_codes (email) WHERE purpose = 'reset_password';
--> statement-breakpoint
-- Who may pass the delay once after a reset, while Redis cannot answer.
ALTER TABLE login_delays
  ADD COLUMN pass_ip text,
  ADD COLUMN pass_device text,
  ADD COLUMN pass_until_ms bigint NOT NULL DEFAULT 0,
  ADD COLUMN pass_taken_by uuid;
