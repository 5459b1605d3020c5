package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gatehouse/internal/gatehouse"
)

// InviteUser stores a user without a password, and the link with which they choose one.
func (s *Store) InviteUser(ctx context.Context, u gatehouse.User, link gatehouse.SecretHash, expiresAt time.Time, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := insertUser(ctx, tx, u, ""); err != nil {
			return err
		}
		return putLink(ctx, tx, u.ID, link, expiresAt)
	}, event)
}

// MakeLink stores a link for a user in the place of a former one.
func (s *Store) MakeLink(ctx context.Context, userID string, link gatehouse.SecretHash, expiresAt time.Time, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error { return putLink(ctx, tx, userID, link, expiresAt) }, event)
}

func putLink(ctx context.Context, tx *sql.Tx, userID string, link gatehouse.SecretHash, expiresAt time.Time) error {
	result, err := tx.ExecContext(ctx, `
		INSERT OR REPLACE INTO user_links (hash, user_id, expires_at)
		SELECT ?1, id, ?3 FROM users WHERE id = ?2 AND disabled = 0 AND issuer = ''`,
		link[:], userID, micros(expiresAt))
	return exactlyOne(result, err, "user")
}

// LinkUser finds the user for whom a link is, while it works.
func (s *Store) LinkUser(ctx context.Context, link gatehouse.SecretHash, at time.Time) (gatehouse.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`
		FROM user_links l JOIN users u ON u.id = l.user_id WHERE l.hash = ? AND l.expires_at > ? AND u.disabled = 0`, link[:], micros(at)))
	if errors.Is(err, sql.ErrNoRows) {
		return gatehouse.User{}, linkIsDead()
	}
	return u, explain(err)
}

// UseLink stores the password chosen with a link, ends all sessions of the user, and uses the link up: of many at the same time,
// one gets through.
func (s *Store) UseLink(ctx context.Context, link gatehouse.SecretHash, userID, passwordHash string, at time.Time, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			UPDATE users SET password_hash = ?4 WHERE id = ?2 AND disabled = 0 AND issuer = ''
			AND EXISTS (SELECT 1 FROM user_links WHERE hash = ?1 AND user_id = ?2 AND expires_at > ?3)`,
			link[:], userID, micros(at), passwordHash)
		if err := exactlyOne(result, err, "link"); gatehouse.ErrorCode(err) == gatehouse.NotFound {
			return linkIsDead()
		} else if err != nil {
			return err
		}
		return shutOut(ctx, tx, userID)
	}, event)
}

func linkIsDead() error {
	return gatehouse.Errorf(gatehouse.NotFound, "this link does not work: it has been used, replaced or has expired; ask an admin for a new one")
}
