DROP TABLE deployment_events;
--> statement-breakpoint
DROP TABLE deployments;
