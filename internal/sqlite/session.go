package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gatehouse/internal/gatehouse"
)

// CreateSession stores a session of a user under the hash of what the cookie holds, if passwordHash is still theirs: a password may
// be changed, or a user disabled, while the old password is being checked.
func (s *Store) CreateSession(ctx context.Context, hash gatehouse.SecretHash, userID, passwordHash string, session gatehouse.Session, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET last_sign_in = ? WHERE id = ? AND password_hash = ? AND disabled = 0`,
			micros(session.CreatedAt), userID, passwordHash)
		if err := exactlyOne(result, err, "user with this password"); err != nil {
			return err
		}
		return insertSession(ctx, tx, hash, userID, session)
	}, event)
}

func insertSession(ctx context.Context, tx *sql.Tx, hash gatehouse.SecretHash, userID string, s gatehouse.Session) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, id, user_id, created_at, seen_at, addr, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		hash[:], s.ID, userID, micros(s.CreatedAt), micros(s.SeenAt), s.Addr, s.UserAgent)
	return err
}

// Session finds the user of a session that began after createdAfter and was seen after seenAfter. Disabled users have none.
func (s *Store) Session(ctx context.Context, hash gatehouse.SecretHash, createdAfter, seenAfter time.Time) (u gatehouse.User, seenAt time.Time, err error) {
	row := s.read.QueryRowContext(ctx, selectUser+`, s.seen_at FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.hash = ? AND s.created_at > ? AND s.seen_at > ? AND u.disabled = 0`,
		hash[:], micros(createdAfter), micros(seenAfter))
	var seen int64
	u, err = scanUser(row, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return gatehouse.User{}, seenAt, gatehouse.Errorf(gatehouse.Unauthenticated, "the session has ended; sign in again")
	}
	return u, fromMicros(seen), explain(err)
}

// Sessions lists the sessions of a user that began after createdAfter and were seen after seenAfter, the last seen first.
func (s *Store) Sessions(ctx context.Context, userID string, current gatehouse.SecretHash, createdAfter, seenAfter time.Time) ([]gatehouse.Session, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, created_at, seen_at, addr, user_agent, hash = ? FROM sessions
		WHERE user_id = ? AND created_at > ? AND seen_at > ? ORDER BY seen_at DESC, id`,
		current[:], userID, micros(createdAfter), micros(seenAfter))
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(session *gatehouse.Session) error {
		var createdAt, seenAt int64
		err := rows.Scan(&session.ID, &createdAt, &seenAt, &session.Addr, &session.UserAgent, &session.Current)
		session.CreatedAt, session.SeenAt = fromMicros(createdAt), fromMicros(seenAt)
		return err
	})
}

// TouchSession notes that a session is in use, and clears away those that ended by themselves.
func (s *Store) TouchSession(ctx context.Context, hash gatehouse.SecretHash, at, createdAfter, seenAfter time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_at = ? WHERE hash = ?`, micros(at), hash[:]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE created_at <= ? OR seen_at <= ?`, micros(createdAfter), micros(seenAfter))
		return err
	})
}

// EndSession deletes a session by the hash of what the cookie holds.
func (s *Store) EndSession(ctx context.Context, hash gatehouse.SecretHash, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash = ?`, hash[:])
		return exactlyOne(result, err, "session")
	}, event)
}

// EndSessionOf deletes a session of the user by its ID.
func (s *Store) EndSessionOf(ctx context.Context, userID, id string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ? AND id = ?`, userID, id)
		return exactlyOne(result, err, "session")
	}, event)
}

// EndAllSessions deletes every session and every one-time link.
func (s *Store) EndAllSessions(ctx context.Context, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM user_links`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions`)
		return err
	}, event)
}
