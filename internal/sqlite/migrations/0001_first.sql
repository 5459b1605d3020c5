-- Times are Unix microseconds, UTC. IDs are UUIDs.

CREATE TABLE deployments (
	id                      TEXT    NOT NULL PRIMARY KEY,
	name                    TEXT    NOT NULL UNIQUE,
	type                    TEXT    NOT NULL CHECK (type IN ('single_node', 'cluster')),
	managed                 INTEGER NOT NULL CHECK (managed IN (0, 1)),
	urls                    TEXT    NOT NULL, -- JSON array
	insert_urls             TEXT    NOT NULL, -- JSON array
	select_urls             TEXT    NOT NULL, -- JSON array
	tier                    TEXT    NOT NULL,
	retention               TEXT    NOT NULL,
	max_concurrent_requests INTEGER NOT NULL CHECK (max_concurrent_requests > 0),
	upstream                BLOB,             -- sealed credentials; null: none
	created_at              INTEGER NOT NULL,
	created_by              TEXT    NOT NULL
);

-- What happens once in the life of a database.
CREATE TABLE marks (name TEXT NOT NULL PRIMARY KEY);
CREATE TRIGGER deployments_first AFTER INSERT ON deployments
BEGIN INSERT OR IGNORE INTO marks (name) VALUES ('first_deployment'); END;

-- How a deployment was doing when a server last looked.
CREATE TABLE deployment_states (
	deployment_id TEXT    NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
	status        TEXT    NOT NULL,
	detail        TEXT    NOT NULL,
	version       TEXT    NOT NULL,
	at            INTEGER NOT NULL
);

CREATE TABLE tokens (
	id            TEXT    NOT NULL PRIMARY KEY,
	deployment_id TEXT    NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
	name          TEXT    NOT NULL,
	access        TEXT    NOT NULL CHECK (access IN ('r', 'w', 'rw')),
	tenant        TEXT,             -- null: any tenant
	mask          TEXT    NOT NULL, -- first four random characters
	hash          BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
	sealed        BLOB    NOT NULL,
	created_at    INTEGER NOT NULL,
	created_by    TEXT    NOT NULL,
	UNIQUE (deployment_id, name)
);

-- Apart from tokens, so that noting a use neither rewrites a token nor counts as a change of it.
CREATE TABLE token_uses (
	token_id         TEXT    NOT NULL PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
	first_at         INTEGER NOT NULL,
	first_addr       TEXT    NOT NULL,
	first_user_agent TEXT    NOT NULL,
	last_at          INTEGER NOT NULL,
	last_addr        TEXT    NOT NULL,
	last_user_agent  TEXT    NOT NULL
);

CREATE TABLE users (
	id            TEXT    NOT NULL PRIMARY KEY,
	email         TEXT    NOT NULL UNIQUE, -- lower case
	role          TEXT    NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
	password_hash TEXT    NOT NULL, -- argon2id
	disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
	created_at    INTEGER NOT NULL
);

CREATE TABLE sessions (
	hash       BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the cookie's value
	user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE audit (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	at            INTEGER NOT NULL,
	actor_kind    TEXT    NOT NULL,
	actor_id      TEXT    NOT NULL,
	actor_name    TEXT    NOT NULL,
	actor_addr    TEXT    NOT NULL,
	action        TEXT    NOT NULL,
	object_id     TEXT    NOT NULL,
	object_name   TEXT    NOT NULL,
	deployment_id TEXT    NOT NULL,
	details       TEXT    NOT NULL -- JSON object
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- What the access table must learn, in order. Triggers write it, so that no statement can forget to.
CREATE TABLE changes (
	seq  INTEGER PRIMARY KEY AUTOINCREMENT,
	kind TEXT    NOT NULL,
	id   TEXT    NOT NULL,
	hash BLOB
);
CREATE TRIGGER deployments_insert AFTER INSERT ON deployments
BEGIN INSERT INTO changes (kind, id) VALUES ('deployment', NEW.id); END;
CREATE TRIGGER deployments_update AFTER UPDATE ON deployments
BEGIN INSERT INTO changes (kind, id) VALUES ('deployment', NEW.id); END;
CREATE TRIGGER deployments_delete AFTER DELETE ON deployments
BEGIN INSERT INTO changes (kind, id) VALUES ('gone_deployment', OLD.id); END;
CREATE TRIGGER tokens_insert AFTER INSERT ON tokens
BEGIN INSERT INTO changes (kind, id) VALUES ('token', NEW.id); END;
CREATE TRIGGER tokens_update AFTER UPDATE OF deployment_id, name, access, tenant, hash ON tokens
BEGIN
	INSERT INTO changes (kind, id, hash) VALUES ('gone_token', OLD.id, OLD.hash);
	INSERT INTO changes (kind, id) VALUES ('token', NEW.id);
END;
CREATE TRIGGER tokens_delete AFTER DELETE ON tokens
BEGIN INSERT INTO changes (kind, id, hash) VALUES ('gone_token', OLD.id, OLD.hash); END;
