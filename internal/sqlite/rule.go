package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/gatehouse"
)

const ruleFileColumns = `deployment_id, name, groups, rules, changed_at, changed_by`

// RuleFiles lists the rule files of a deployment by name, without their content.
func (s *Store) RuleFiles(ctx context.Context, deploymentID string) ([]gatehouse.RuleFile, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+ruleFileColumns+` FROM rule_files WHERE deployment_id = ? ORDER BY name`, deploymentID)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(f *gatehouse.RuleFile) (err error) {
		*f, err = scanRuleFile(rows)
		return err
	})
}

// RuleSet gives what is evaluated for a deployment, also for one that is gone: nothing.
func (s *Store) RuleSet(ctx context.Context, deploymentID string) (gatehouse.RuleSet, error) {
	var set gatehouse.RuleSet
	err := s.view(ctx, func(tx *sql.Tx) (err error) {
		err = tx.QueryRowContext(ctx, `SELECT notifier_url FROM deployments WHERE id = ?`, deploymentID).Scan(&set.NotifierURL)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			set.Files, err = ruleFiles(ctx, tx, deploymentID)
		}
		return err
	})
	return set, explain(err)
}

// ruleFiles reads the rule files of a deployment by name, with their content.
func ruleFiles(ctx context.Context, tx *sql.Tx, deploymentID string) ([]gatehouse.RuleFile, error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+ruleFileColumns+`, content FROM rule_files WHERE deployment_id = ? ORDER BY name`, deploymentID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(f *gatehouse.RuleFile) (err error) {
		var content []byte
		*f, err = scanRuleFile(rows, &content)
		f.Content = content
		return err
	})
}

// RuleFile finds a rule file, with its content.
func (s *Store) RuleFile(ctx context.Context, deploymentID, name string) (gatehouse.RuleFile, error) {
	f, err := ruleFile(ctx, s.read, deploymentID, name)
	return f, explain(err)
}

// querier is the store's pool of readers, or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func ruleFile(ctx context.Context, db querier, deploymentID, name string) (gatehouse.RuleFile, error) {
	var content []byte
	row := db.QueryRowContext(ctx, `SELECT `+ruleFileColumns+`, content FROM rule_files WHERE deployment_id = ? AND name = ?`, deploymentID, name)
	f, err := scanRuleFile(row, &content)
	if errors.Is(err, sql.ErrNoRows) {
		return f, gatehouse.Errorf(gatehouse.NotFound, "there is no rule file with this name; list the rule files to see what there is")
	}
	f.Content = content
	return f, err
}

func scanRuleFile(row scanner, more ...any) (gatehouse.RuleFile, error) {
	var f gatehouse.RuleFile
	var groups []byte
	var changedAt int64
	err := row.Scan(append([]any{&f.DeploymentID, &f.Name, &groups, &f.Rules, &changedAt, &f.ChangedBy}, more...)...)
	if err != nil {
		return f, err
	}
	f.ChangedAt = fromMicros(changedAt)
	if err := json.Unmarshal(groups, &f.Groups); err != nil {
		return f, fmt.Errorf("read the groups of rule file %q: %w", f.Name, err)
	}
	return f, nil
}

// PutRuleFile makes or replaces a rule file, unless the deployment would then have too many rules or a group name twice. record
// makes the event; old is nil when there was no such file.
func (s *Store) PutRuleFile(ctx context.Context, f gatehouse.RuleFile, record func(old *gatehouse.RuleFile) gatehouse.AuditEvent) error {
	events := make([]gatehouse.AuditEvent, 1) // written after the function below, which fills it in
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := checkOtherRules(ctx, tx, f); err != nil {
			return err
		}
		old, err := ruleFile(ctx, tx, f.DeploymentID, f.Name)
		switch {
		case err == nil:
			events[0] = record(&old)
		case gatehouse.ErrorCode(err) == gatehouse.NotFound:
			events[0] = record(nil)
		default:
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO rule_files (`+ruleFileColumns+`, content) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (deployment_id, name) DO UPDATE SET groups = excluded.groups, rules = excluded.rules,
				changed_at = excluded.changed_at, changed_by = excluded.changed_by, content = excluded.content`,
			f.DeploymentID, f.Name, list(f.Groups), f.Rules, micros(f.ChangedAt), f.ChangedBy, f.Content)
		return err
	}, events...)
}

// checkOtherRules compares f with the other files of its deployment.
func checkOtherRules(ctx context.Context, tx *sql.Tx, f gatehouse.RuleFile) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+ruleFileColumns+` FROM rule_files WHERE deployment_id = ? AND name <> ?`, f.DeploymentID, f.Name)
	if err != nil {
		return err
	}
	others, err := collect(rows, func(other *gatehouse.RuleFile) (err error) {
		*other, err = scanRuleFile(rows)
		return err
	})
	if err != nil {
		return err
	}
	var bytes int
	err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(length(content)), 0) FROM rule_files WHERE deployment_id = ? AND name <> ?`,
		f.DeploymentID, f.Name).Scan(&bytes)
	if err != nil {
		return err
	}
	if bytes += len(f.Content); bytes > gatehouse.MostRuleBytes {
		return gatehouse.InvalidField("content", "the rule files of the deployment would have %d bytes together, but may have %d; make them smaller or delete some", bytes, gatehouse.MostRuleBytes)
	}
	rules := f.Rules
	for _, other := range others {
		rules += other.Rules
		for _, group := range other.Groups {
			if slices.Contains(f.Groups, group) {
				return gatehouse.InvalidField("content", "the file %q has a group %q already; group names are unique within a deployment", other.Name, group)
			}
		}
	}
	if rules > gatehouse.MostRules {
		return gatehouse.InvalidField("content", "the deployment would have %d rules; all its files together may have %d", rules, gatehouse.MostRules)
	}
	return nil
}

// DeleteRuleFile deletes a rule file. record makes the event from what the file was.
func (s *Store) DeleteRuleFile(ctx context.Context, deploymentID, name string, record func(old gatehouse.RuleFile) gatehouse.AuditEvent) error {
	events := make([]gatehouse.AuditEvent, 1) // written after the function below, which fills it in
	return s.change(ctx, func(tx *sql.Tx) error {
		old, err := ruleFile(ctx, tx, deploymentID, name)
		if err != nil {
			return err
		}
		events[0] = record(old)
		_, err = tx.ExecContext(ctx, `DELETE FROM rule_files WHERE deployment_id = ? AND name = ?`, deploymentID, name)
		return err
	}, events...)
}
