import type { JobHandlers } from "../queue/job.js";

/** What does each kind of job. A kind that is not here is left to a release that knows it. */
export const jobHandlers: JobHandlers = {};
