DROP TABLE recovery_codes;
--> statement-breakpoint
DROP TABLE second_factors;
