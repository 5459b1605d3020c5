package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"gatehouse/internal/gatehouse"
)

// CreateExternalSession stores a session of the user with this identity. It makes the user from fresh, takes over an invited one with
// the same email address, or brings email and role in line, and records what it did. Forbidden says that the user is disabled,
// Conflict that somebody else has the email address; it then gives the user concerned as well.
func (s *Store) CreateExternalSession(
	ctx context.Context, hash gatehouse.SecretHash, id gatehouse.Identity, fresh gatehouse.User, session gatehouse.Session,
) (u gatehouse.User, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		var events []gatehouse.AuditEvent
		if u, events, err = keepIdentity(ctx, tx, id, fresh, session); err != nil {
			return err
		}
		if err := insertSession(ctx, tx, hash, u.ID, session); err != nil {
			return err
		}
		for _, e := range events {
			if err := insertAudit(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	return u, err
}

// keepIdentity gives the user with this identity as they are from now on, and what is to be recorded.
func keepIdentity(
	ctx context.Context, tx *sql.Tx, id gatehouse.Identity, fresh gatehouse.User, session gatehouse.Session,
) (u gatehouse.User, events []gatehouse.AuditEvent, err error) {
	record := func(action gatehouse.Action, before, after map[string]string) *gatehouse.AuditEvent {
		actor := gatehouse.Actor{Kind: gatehouse.Person, ID: u.ID, Name: id.Email, Addr: session.Addr}
		e := gatehouse.AuditEvent{At: session.CreatedAt, Actor: actor, Action: action, ObjectID: u.ID, ObjectName: id.Email, Before: before, After: after}
		e.Details = map[string]string{"through": id.Issuer}
		events = append(events, e)
		return &events[len(events)-1]
	}
	u, made, err := findOrAddIdentity(ctx, tx, id, fresh)
	switch {
	case err != nil:
		return u, nil, err
	case u.Disabled:
		return u, nil, gatehouse.Errorf(gatehouse.Forbidden, "your account is disabled; ask an admin")
	case made:
		record(gatehouse.UserCreated, nil, nil).Details["role"] = string(id.Role)
	case u.Role != id.Role:
		record(gatehouse.UserRoleChanged, map[string]string{"role": string(u.Role)}, map[string]string{"role": string(id.Role)})
	}
	before, after := map[string]string{}, map[string]string{}
	if u.Email != id.Email {
		before["email"], after["email"] = u.Email, id.Email
	}
	if u.Invited {
		before["state"], after["state"] = "invited", "enabled"
	}
	record(gatehouse.SignedIn, before, after)
	_, err = tx.ExecContext(ctx, `UPDATE users SET email = ?, role = ?, issuer = ?, subject = ?, last_sign_in = ? WHERE id = ?`,
		id.Email, id.Role, id.Issuer, id.Subject, micros(session.CreatedAt), u.ID)
	if err != nil {
		return u, nil, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM user_links WHERE user_id = ?`, u.ID); err != nil {
		return u, nil, err
	}
	u.Email, u.Role, u.Invited, u.External = id.Email, id.Role, false, true
	return u, events, nil
}

// findOrAddIdentity finds the user with this identity, or else an invited one with its email address, or else makes one. The email
// address alone never leads to the account of somebody who has signed in before.
func findOrAddIdentity(ctx context.Context, tx *sql.Tx, id gatehouse.Identity, fresh gatehouse.User) (u gatehouse.User, made bool, err error) {
	u, err = findUser(ctx, tx, `issuer = ? AND subject = ?`, id.Issuer, id.Subject)
	if !errors.Is(err, sql.ErrNoRows) {
		return u, false, err
	}
	u, err = findUser(ctx, tx, `email = ?`, id.Email)
	if errors.Is(err, sql.ErrNoRows) {
		if err := refuseRemoved(ctx, tx, id); err != nil {
			return fresh, false, err
		}
		return fresh, true, insertUser(ctx, tx, fresh, "")
	}
	if err == nil && u.Invited {
		_, err = tx.ExecContext(ctx, `DELETE FROM removed_identities WHERE issuer = ? AND subject = ?`, id.Issuer, id.Subject)
	}
	if err == nil && !u.Invited {
		err = gatehouse.Errorf(gatehouse.Conflict,
			"a user with your email address exists already and signs in otherwise; sign in as before, or ask an admin to delete that user")
	}
	return u, false, err
}

// refuseRemoved keeps those out whom an admin has deleted, until an admin invites them again.
func refuseRemoved(ctx context.Context, tx *sql.Tx, id gatehouse.Identity) error {
	var removed bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM removed_identities WHERE issuer = ? AND subject = ?)`, id.Issuer, id.Subject).Scan(&removed)
	if err == nil && removed {
		return gatehouse.Errorf(gatehouse.Forbidden, "your account was removed; ask an admin to invite you again")
	}
	return err
}
