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

-- The Alertmanager that gets the alerts of a deployment's rules; empty: none does.
ALTER TABLE deployments ADD COLUMN notifier_url TEXT NOT NULL DEFAULT '';

-- A server evaluates the rules, and so must learn of every change.
CREATE TRIGGER rule_files_insert AFTER INSERT ON rule_files
BEGIN INSERT INTO changes (kind, id) VALUES ('deployment', NEW.deployment_id); END;
CREATE TRIGGER rule_files_update AFTER UPDATE ON rule_files
BEGIN INSERT INTO changes (kind, id) VALUES ('deployment', NEW.deployment_id); END;
CREATE TRIGGER rule_files_delete AFTER DELETE ON rule_files
BEGIN INSERT INTO changes (kind, id) VALUES ('deployment', OLD.deployment_id); END;
