-- Lists of jobs, the newest first, page by page, however many finished ones there are. Neither column of the key ever
-- changes, so updates stay heap-only.

CREATE INDEX sync_jobs_recent ON sync_jobs (created_at DESC, job_id DESC);
-- The few that went wrong among very many that did not.
CREATE INDEX sync_jobs_unsuccessful ON sync_jobs (created_at DESC, job_id DESC) WHERE status IN ('failed', 'cancelled');
