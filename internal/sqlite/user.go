package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gatehouse/internal/gatehouse"
)

const userColumns = `id, email, role, disabled, created_at`

// CreateUser stores a user. With onlyFirst it refuses when there is any user already: the page that makes the first admin must
// make no second one, however many requests arrive at the same time.
func (s *Store) CreateUser(ctx context.Context, u gatehouse.User, passwordHash string, onlyFirst bool, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if onlyFirst {
			var exists bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users)`).Scan(&exists); err != nil {
				return err
			}
			if exists {
				return gatehouse.Errorf(gatehouse.Conflict, "the first admin exists already; sign in instead")
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO users (`+userColumns+`, password_hash) VALUES (?, ?, ?, ?, ?, ?)`,
			u.ID, u.Email, u.Role, u.Disabled, micros(u.CreatedAt), passwordHash)
		return err
	}, event)
}

// Users lists all users by email address.
func (s *Store) Users(ctx context.Context) ([]gatehouse.User, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users ORDER BY email`)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(u *gatehouse.User) (err error) {
		*u, err = scanUser(rows)
		return err
	})
}

// HasUsers reports whether there is any user.
func (s *Store) HasUsers(ctx context.Context) (has bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users)`).Scan(&has)
	return has, explain(err)
}

// UserByEmail finds a user with their password hash.
func (s *Store) UserByEmail(ctx context.Context, email string) (u gatehouse.User, passwordHash string, err error) {
	row := s.read.QueryRowContext(ctx, `SELECT `+userColumns+`, password_hash FROM users WHERE email = ?`, email)
	u, err = scanUser(row, &passwordHash)
	if errors.Is(err, sql.ErrNoRows) {
		return u, "", gatehouse.Errorf(gatehouse.NotFound, "there is no user with this email address; list the users to see who there is")
	}
	return u, passwordHash, explain(err)
}

// SetPassword stores a new password and ends all sessions of the user.
func (s *Store) SetPassword(ctx context.Context, userID, passwordHash string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ?`, passwordHash, userID)
		if err := exactlyOne(result, err, "user"); err != nil {
			return err
		}
		return endSessions(ctx, tx, userID)
	}, event)
}

// DisableUser shuts a user out and ends all their sessions. The last admin cannot be disabled: nobody could undo it.
func (s *Store) DisableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET disabled = 1 WHERE id = ?`, userID)
		if err := exactlyOne(result, err, "user"); err != nil {
			return err
		}
		var last bool
		err = tx.QueryRowContext(ctx, `
			SELECT role = 'admin' AND NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND disabled = 0) FROM users WHERE id = ?`,
			userID).Scan(&last)
		if err != nil {
			return err
		}
		if last {
			return gatehouse.Errorf(gatehouse.Conflict, "this is the last admin; create another one first")
		}
		return endSessions(ctx, tx, userID)
	}, event)
}

func endSessions(ctx context.Context, tx *sql.Tx, userID string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, userID)
	return err
}

// CreateSession stores a session of a user under the hash of its ID, if passwordHash is still theirs: a password may be changed, or
// a user disabled, while the old password is being checked.
func (s *Store) CreateSession(ctx context.Context, hash gatehouse.SecretHash, userID, passwordHash string, at time.Time, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO sessions (hash, user_id, created_at, seen_at)
			SELECT ?1, id, ?3, ?3 FROM users WHERE id = ?2 AND password_hash = ?4 AND disabled = 0`,
			hash[:], userID, micros(at), passwordHash)
		return exactlyOne(result, err, "user with this password")
	}, event)
}

// Session finds the user of a session that began after createdAfter and was seen after seenAfter. Disabled users have none.
func (s *Store) Session(ctx context.Context, hash gatehouse.SecretHash, createdAfter, seenAfter time.Time) (u gatehouse.User, seenAt time.Time, err error) {
	row := s.read.QueryRowContext(ctx, `
		SELECT u.id, u.email, u.role, u.disabled, u.created_at, s.seen_at FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.hash = ? AND s.created_at > ? AND s.seen_at > ? AND u.disabled = 0`,
		hash[:], micros(createdAfter), micros(seenAfter))
	var seen int64
	u, err = scanUser(row, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return u, seenAt, gatehouse.Errorf(gatehouse.Unauthenticated, "the session has ended; sign in again")
	}
	return u, fromMicros(seen), explain(err)
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

// EndSession deletes a session.
func (s *Store) EndSession(ctx context.Context, hash gatehouse.SecretHash, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash = ?`, hash[:])
		return exactlyOne(result, err, "session")
	}, event)
}

// EndAllSessions deletes every session.
func (s *Store) EndAllSessions(ctx context.Context, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions`)
		return err
	}, event)
}

func scanUser(row scanner, more ...any) (gatehouse.User, error) {
	var u gatehouse.User
	var createdAt int64
	err := row.Scan(append([]any{&u.ID, &u.Email, &u.Role, &u.Disabled, &createdAt}, more...)...)
	u.CreatedAt = fromMicros(createdAt)
	return u, err
}
