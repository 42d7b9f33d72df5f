DROP TABLE blocks;
--> statement-breakpoint
DROP TABLE flags;
--> statement-breakpoint
DROP TABLE mirror_versions;
