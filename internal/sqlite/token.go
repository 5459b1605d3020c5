package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/gatehouse"
)

// CreateToken stores a token.
func (s *Store) CreateToken(ctx context.Context, t gatehouse.StoredToken, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error { return insertToken(ctx, tx, t) }, event)
}

// CreateTokens stores many tokens, all or none.
func (s *Store) CreateTokens(ctx context.Context, tokens []gatehouse.StoredToken, events ...gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, t := range tokens {
			if err := insertToken(ctx, tx, t); err != nil {
				return naming(t.Name, err)
			}
		}
		return nil
	}, events...)
}

// naming says of which token of many an error speaks.
func naming(name string, err error) error {
	var known *gatehouse.Error
	if err = explain(err); !errors.As(err, &known) || known.Field == "" {
		return err
	}
	named := *known
	named.Message = fmt.Sprintf("token %q: %s", name, known.Message)
	return &named
}

func insertToken(ctx context.Context, tx *sql.Tx, t gatehouse.StoredToken) error {
	var tenant sql.NullString
	if t.Tenant != nil {
		tenant = sql.NullString{String: t.Tenant.String(), Valid: true}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO tokens (id, deployment_id, name, access, tenant, tenant_sent, mask, hash, sealed, created_at, created_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.DeploymentID, t.Name, t.Access, tenant, sql.NullString{String: t.TenantSent, Valid: t.TenantSent != ""}, t.Mask, t.Hash[:], t.Sealed, micros(t.CreatedAt), t.CreatedBy)
	return err
}

const selectToken = `
	SELECT t.id, t.deployment_id, t.name, t.access, t.tenant, coalesce(t.tenant_sent, ''), t.mask, t.created_at, t.created_by,
		u.first_at, u.first_addr, u.first_user_agent, u.last_at, u.last_addr, u.last_user_agent
	FROM tokens t LEFT JOIN token_uses u ON u.token_id = t.id `

// Token finds a token by its ID.
func (s *Store) Token(ctx context.Context, id string) (gatehouse.Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, selectToken+`WHERE t.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return t, noSuchToken()
	}
	return t, explain(err)
}

func noSuchToken() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no access token with this ID; it may have been deleted, and names are no IDs: see the token list")
}

// tokenOrder holds the only texts that may follow ORDER BY: what comes from a user picks one of them.
var tokenOrder = map[gatehouse.TokenSort][]string{
	gatehouse.SortByName:      {"t.name COLLATE NOCASE"},
	gatehouse.SortByAccess:    {"t.access"},
	gatehouse.SortByCreated:   {"t.created_at"},
	gatehouse.SortByCreator:   {"t.created_by"},
	gatehouse.SortByFirstUsed: {"coalesce(u.first_at, 0)"},
	gatehouse.SortByLastUsed:  {"coalesce(u.last_at, 0)"},
	// As numbers: the cast reads the account, and of two projects of an account the shorter one is the smaller one.
	gatehouse.SortByTenant: {"CAST(t.tenant AS INTEGER)", "length(t.tenant)", "t.tenant"},
}

// Tokens lists tokens of a deployment, and counts all that match, whatever the limit.
func (s *Store) Tokens(ctx context.Context, q gatehouse.TokenQuery) (tokens []gatehouse.Token, total int, err error) {
	where := `WHERE t.deployment_id = ?`
	args := []any{q.DeploymentID}
	if q.Search != "" {
		where += ` AND instr(lower(t.name), lower(?)) > 0`
		args = append(args, q.Search)
	}
	if q.Access != "" {
		where += ` AND t.access = ?`
		args = append(args, q.Access)
	}
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM tokens t `+where, args...).Scan(&total); err != nil {
		return nil, 0, explain(err)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1
	}
	rows, err := s.read.QueryContext(ctx, selectToken+where+orderBy(q)+` LIMIT ? OFFSET ?`, append(args, limit, q.Offset)...)
	if err != nil {
		return nil, 0, explain(err)
	}
	tokens, err = collect(rows, func(t *gatehouse.Token) (err error) {
		*t, err = scanToken(rows)
		return err
	})
	return tokens, total, err
}

func orderBy(q gatehouse.TokenQuery) string {
	columns, ok := tokenOrder[q.Sort]
	if !ok {
		columns = tokenOrder[gatehouse.SortByCreated]
	}
	direction := ""
	if q.Descending {
		direction = " DESC"
	}
	return ` ORDER BY ` + strings.Join(columns, direction+", ") + direction + `, t.id`
}

// scanToken reads a token. One whose row is damaged comes as Broken, so that it can be seen and deleted.
func scanToken(row scanner) (gatehouse.Token, error) {
	var t gatehouse.Token
	var tenant sql.NullString
	var createdAt int64
	var firstAt, lastAt sql.NullInt64
	var firstAddr, firstAgent, lastAddr, lastAgent sql.NullString
	err := row.Scan(&t.ID, &t.DeploymentID, &t.Name, &t.Access, &tenant, &t.TenantSent, &t.Mask, &createdAt, &t.CreatedBy,
		&firstAt, &firstAddr, &firstAgent, &lastAt, &lastAddr, &lastAgent)
	if err == nil {
		_, err = gatehouse.ParseAccess(string(t.Access))
	}
	if err == nil {
		t.Tenant, err = parseTenant(tenant)
	}
	t.Broken = err != nil
	t.CreatedAt = fromMicros(createdAt)
	if firstAt.Valid {
		t.FirstUse = &gatehouse.Use{At: fromMicros(firstAt.Int64), Addr: firstAddr.String, UserAgent: firstAgent.String}
		t.LastUse = &gatehouse.Use{At: fromMicros(lastAt.Int64), Addr: lastAddr.String, UserAgent: lastAgent.String}
	}
	return t, unlessRead(t.ID, err)
}

func parseTenant(text sql.NullString) (*gatehouse.Tenant, error) {
	if !text.Valid {
		return nil, nil
	}
	tenant, err := gatehouse.ParseTenant(text.String)
	if err != nil {
		return nil, err
	}
	return &tenant, nil
}

// RevealToken gives the sealed secret of a token, and records that it was asked for.
func (s *Store) RevealToken(ctx context.Context, id string, event gatehouse.AuditEvent) (sealed []byte, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT sealed FROM tokens WHERE id = ?`, id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return noSuchToken()
		}
		return err
	}, event)
	return sealed, err
}

// RevokeToken deletes a token.
func (s *Store) RevokeToken(ctx context.Context, id string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = ?`, id)
		return exactlyOne(result, err, "access token")
	}, event)
}

// SealedSamples gives a few of the sealed secrets that are stored, the newest first: enough to tell whether a key fits, also when
// one row is damaged.
func (s *Store) SealedSamples(ctx context.Context) ([]gatehouse.Sealed, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT row, sealed FROM (SELECT id AS row, sealed FROM tokens ORDER BY created_at DESC LIMIT 3)
		UNION ALL
		SELECT row, sealed FROM (SELECT id AS row, sealed FROM api_keys ORDER BY created_at DESC LIMIT 3)
		UNION ALL
		SELECT row, sealed FROM (SELECT id || ? AS row, upstream AS sealed FROM deployments WHERE upstream IS NOT NULL ORDER BY created_at DESC LIMIT 3)`,
		gatehouse.UpstreamRow(""))
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(one *gatehouse.Sealed) error { return rows.Scan(&one.Row, &one.Sealed) })
}

// SaveUses notes when tokens were last used, all in one transaction. Tokens that are gone are passed over.
func (s *Store) SaveUses(ctx context.Context, uses []gatehouse.TokenUse) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, `
			INSERT INTO token_uses (token_id, first_at, first_addr, first_user_agent, last_at, last_addr, last_user_agent)
			SELECT id, ?2, ?3, ?4, ?2, ?3, ?4 FROM tokens WHERE id = ?1
			ON CONFLICT (token_id) DO UPDATE SET last_at = excluded.last_at, last_addr = excluded.last_addr, last_user_agent = excluded.last_user_agent
			WHERE excluded.last_at >= last_at`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for _, u := range uses {
			if _, err := stmt.ExecContext(ctx, u.TokenID, micros(u.Use.At), u.Use.Addr, u.Use.UserAgent); err != nil {
				return err
			}
		}
		return nil
	})
}
