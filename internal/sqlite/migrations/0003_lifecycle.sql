ALTER TABLE deployments ADD COLUMN stopped_by TEXT NOT NULL DEFAULT ''; -- empty: it runs

-- Managed deployments that were deleted and can be restored. Their access tokens are gone for good.
CREATE TABLE deleted_deployments (
	id         TEXT    NOT NULL PRIMARY KEY,
	name       TEXT    NOT NULL, -- may be in use again
	deleted_at INTEGER NOT NULL,
	deleted_by TEXT    NOT NULL,
	deployment TEXT    NOT NULL, -- JSON of gatehouse.Deployment
	rule_files TEXT    NOT NULL  -- JSON of []gatehouse.RuleFile
);
CREATE INDEX deleted_deployments_name ON deleted_deployments (name);
