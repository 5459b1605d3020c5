-- What may be changed of a deployment, besides what 0001 has.
ALTER TABLE deployments ADD COLUMN provider            TEXT    NOT NULL DEFAULT 'local';
ALTER TABLE deployments ADD COLUMN region              TEXT    NOT NULL DEFAULT 'local';
ALTER TABLE deployments ADD COLUMN storage_gb          INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN deduplication_value INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN deduplication_unit  TEXT    NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN maintenance_window  TEXT    NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN flags               TEXT    NOT NULL DEFAULT '{}'; -- JSON object

-- The IDs of deleted deployments, which the audit log forgets in time.
INSERT OR IGNORE INTO marks (name) SELECT 'deleted_deployment ' || object_id FROM audit WHERE action = 'deployment.deleted';
CREATE TRIGGER deployments_gone AFTER DELETE ON deployments
BEGIN INSERT OR IGNORE INTO marks (name) VALUES ('deleted_deployment ' || OLD.id); END;

-- The tenant as it was sent, where that is not how it is spelled: the Terraform provider can only send "5:7 ".
ALTER TABLE tokens ADD COLUMN tenant_sent TEXT;

CREATE TABLE rule_files (
	deployment_id TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
	name          TEXT    NOT NULL,
	content       BLOB    NOT NULL,
	groups        TEXT    NOT NULL, -- JSON array of names
	rules         INTEGER NOT NULL,
	changed_at    INTEGER NOT NULL,
	changed_by    TEXT    NOT NULL,
	PRIMARY KEY (deployment_id, name)
);

CREATE TABLE api_keys (
	id          TEXT    NOT NULL PRIMARY KEY,
	name        TEXT    NOT NULL UNIQUE,
	read_only   INTEGER NOT NULL CHECK (read_only IN (0, 1)),
	deployments TEXT,             -- JSON array of IDs; null: all, those of the future too
	mask        TEXT    NOT NULL, -- first four random characters
	hash        BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
	sealed      BLOB    NOT NULL,
	created_at  INTEGER NOT NULL,
	created_by  TEXT    NOT NULL,
	expires_at  INTEGER           -- null: never
);
-- Apart from api_keys, so that noting a use does not rewrite a key.
CREATE TABLE api_key_uses (
	key_id     TEXT    NOT NULL PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
	at         INTEGER NOT NULL,
	addr       TEXT    NOT NULL,
	user_agent TEXT    NOT NULL
);

-- Invited users have the password hash '' until they choose a password, or sign in through the identity provider.
ALTER TABLE users ADD COLUMN last_sign_in INTEGER NOT NULL DEFAULT 0; -- 0: never
ALTER TABLE users ADD COLUMN issuer       TEXT    NOT NULL DEFAULT ''; -- of the identity provider; empty: signs in with a password
ALTER TABLE users ADD COLUMN subject      TEXT    NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_identity ON users (issuer, subject) WHERE issuer <> '';

-- People from the identity provider whom an admin has deleted: they do not come back by themselves.
CREATE TABLE removed_identities (issuer TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (issuer, subject));
CREATE TRIGGER users_remove_identity AFTER DELETE ON users WHEN OLD.issuer <> ''
BEGIN INSERT OR IGNORE INTO removed_identities (issuer, subject) VALUES (OLD.issuer, OLD.subject); END;

-- One-time links with which a user chooses a password.
CREATE TABLE user_links (
	hash       BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the link's code
	user_id    TEXT    NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE, -- a new link replaces the old one
	expires_at INTEGER NOT NULL
);

ALTER TABLE sessions ADD COLUMN id         TEXT NOT NULL DEFAULT ''; -- by which the user names it; the hash stays inside
ALTER TABLE sessions ADD COLUMN addr       TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
UPDATE sessions SET id = lower(hex(randomblob(16)));

-- Each record holds the hash of itself and the one before, see chain.go, which also gives the records of the time before theirs.
ALTER TABLE audit ADD COLUMN before TEXT NOT NULL DEFAULT '{}'; -- JSON object
ALTER TABLE audit ADD COLUMN after  TEXT NOT NULL DEFAULT '{}'; -- JSON object
ALTER TABLE audit ADD COLUMN hash   TEXT NOT NULL DEFAULT '';   -- hexadecimal SHA-256
CREATE INDEX audit_deployment ON audit (deployment_id, seq) WHERE deployment_id <> '';

-- The retention removes the oldest records and nothing else: those below the floor, which only rises.
CREATE TABLE audit_floor (
	id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	seq  INTEGER NOT NULL, -- of the oldest record that is kept
	hash TEXT    NOT NULL  -- of the newest record that was removed
);
INSERT INTO audit_floor (id, seq, hash) VALUES (1, 0, '');
CREATE TRIGGER audit_floor_rises BEFORE UPDATE ON audit_floor WHEN NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only: its floor only rises'); END;
CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_floor BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- A record can come only after all others: INSERT OR REPLACE would remove one without asking the triggers of DELETE.
CREATE TRIGGER audit_only_appends BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq >= NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
DROP TRIGGER audit_no_delete;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN OLD.seq >= (SELECT seq FROM audit_floor)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
