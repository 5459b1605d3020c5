-- A token's page shows what was done to it.
CREATE INDEX audit_object ON audit (object_id, seq) WHERE object_id <> '';
