package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"gatehouse/internal/gatehouse"
)

const selectUser = `SELECT ` + userColumns

const userColumns = `
	u.id, u.email, u.role, u.disabled, u.password_hash = '' AND u.issuer = '', u.issuer <> '', u.created_at, u.last_sign_in`

func scanUser(row scanner, more ...any) (gatehouse.User, error) {
	var u gatehouse.User
	var createdAt, lastSignIn int64
	err := row.Scan(append([]any{&u.ID, &u.Email, &u.Role, &u.Disabled, &u.Invited, &u.External, &createdAt, &lastSignIn}, more...)...)
	u.CreatedAt = fromMicros(createdAt)
	if lastSignIn != 0 {
		u.LastSignIn = fromMicros(lastSignIn)
	}
	return u, err
}

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
		return insertUser(ctx, tx, u, passwordHash)
	}, event)
}

func insertUser(ctx context.Context, tx *sql.Tx, u gatehouse.User, passwordHash string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO users (id, email, role, disabled, created_at, password_hash) VALUES (?, ?, ?, ?, ?, ?)`,
		u.ID, u.Email, u.Role, u.Disabled, micros(u.CreatedAt), passwordHash)
	return err
}

// Users lists all users by email address.
func (s *Store) Users(ctx context.Context) ([]gatehouse.User, error) {
	rows, err := s.read.QueryContext(ctx, selectUser+` FROM users u ORDER BY email`)
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

// User finds a user by ID or lower-case email address, with their password hash: none where they have no password.
func (s *Store) User(ctx context.Context, idOrEmail string) (u gatehouse.User, passwordHash string, err error) {
	row := s.read.QueryRowContext(ctx, selectUser+`, password_hash FROM users u WHERE id = ?1 OR email = ?1`, idOrEmail)
	u, err = scanUser(row, &passwordHash)
	if errors.Is(err, sql.ErrNoRows) {
		return gatehouse.User{}, "", gatehouse.Errorf(gatehouse.NotFound, "there is no user with this email address or ID; list the users to see who there is")
	}
	return u, passwordHash, explain(err)
}

// SetPassword stores a new password and ends all sessions of the user, and their link.
func (s *Store) SetPassword(ctx context.Context, userID, passwordHash string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ? AND issuer = ''`, passwordHash, userID)
		if err := exactlyOne(result, err, "user"); err != nil {
			return err
		}
		return shutOut(ctx, tx, userID)
	}, event)
}

// ChangePassword stores a new password if oldHash is still the user's, and ends their link and all their sessions but the one to
// keep.
func (s *Store) ChangePassword(ctx context.Context, userID, oldHash, newHash string, keep gatehouse.SecretHash, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ? AND disabled = 0`, newHash, userID, oldHash)
		if err := exactlyOne(result, err, "user with this password"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM user_links WHERE user_id = ?`, userID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ? AND hash <> ?`, userID, keep[:])
		return err
	}, event)
}

// SetRole gives a user another role, which their sessions have at once.
func (s *Store) SetRole(ctx context.Context, userID string, role gatehouse.Role, event gatehouse.AuditEvent) error {
	return s.changeUser(ctx, userID, "role", string(role), event, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET role = ? WHERE id = ?`, role, userID)
		return err
	})
}

// DisableUser shuts a user out: it ends all their sessions, and their link.
func (s *Store) DisableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error {
	return s.changeUser(ctx, userID, "state", "disabled", event, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET disabled = 1 WHERE id = ?`, userID); err != nil {
			return err
		}
		return shutOut(ctx, tx, userID)
	})
}

// EnableUser lets a user in again.
func (s *Store) EnableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error {
	return s.changeUser(ctx, userID, "state", "enabled", event, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET disabled = 0 WHERE id = ?`, userID)
		return err
	})
}

// changeUser runs fn, which gives a field of a user the value, and records the value before and after. What is so already is
// neither changed nor recorded.
func (s *Store) changeUser(ctx context.Context, userID, field, value string, event gatehouse.AuditEvent, fn func(*sql.Tx) error) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		u, err := findUser(ctx, tx, `id = ?`, userID)
		if errors.Is(err, sql.ErrNoRows) {
			return noSuch("user")
		}
		if err != nil {
			return err
		}
		before := userFields(u)[field]
		if before == value {
			return nil
		}
		if err := keepAnAdmin(ctx, tx, func() error { return fn(tx) }); err != nil {
			return err
		}
		event.Before, event.After = map[string]string{field: before}, map[string]string{field: value}
		return insertAudit(ctx, tx, event)
	})
}

func findUser(ctx context.Context, tx *sql.Tx, where string, args ...any) (gatehouse.User, error) {
	return scanUser(tx.QueryRowContext(ctx, selectUser+` FROM users u WHERE `+where, args...))
}

// userFields are the fields of which the audit log tells the change.
func userFields(u gatehouse.User) map[string]string {
	state := "enabled"
	if u.Disabled {
		state = "disabled"
	}
	return map[string]string{"role": string(u.Role), "state": state, "email": u.Email}
}

// DeleteUser removes a user with their sessions and their link.
func (s *Store) DeleteUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		return keepAnAdmin(ctx, tx, func() error {
			result, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = ?`, userID)
			return exactlyOne(result, err, "user")
		})
	}, event)
}

// keepAnAdmin runs change, and refuses it when it takes the last admin who can sign in away: nobody could undo that.
func keepAnAdmin(ctx context.Context, tx *sql.Tx, change func() error) error {
	before, err := hasAdmin(ctx, tx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := hasAdmin(ctx, tx)
	if err != nil {
		return err
	}
	if before && !after {
		return gatehouse.Errorf(gatehouse.Conflict, "this is the last admin who can sign in; make another one first")
	}
	return nil
}

func hasAdmin(ctx context.Context, tx *sql.Tx) (has bool, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND disabled = 0 AND (password_hash <> '' OR issuer <> ''))`).Scan(&has)
	return has, err
}

// shutOut ends all sessions of a user, and the link with which they could choose a password.
func shutOut(ctx context.Context, tx *sql.Tx, userID string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM user_links WHERE user_id = ?`, userID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, userID)
	return err
}
