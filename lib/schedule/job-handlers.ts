import type { JobHandlers } from "../queue/job.js";

/** One handler per kind of job. Unknown kinds stay queued for a release that has a handler. */
export const jobHandlers: JobHandlers = {};
