package sqlite

import "context"

// Check gives the number of the schema, and what SQLite finds wrong with the file; nothing when all is well. It reads the whole file.
func (s *Store) Check(ctx context.Context) (schema int, problems []string, err error) {
	if err := s.read.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&schema); err != nil {
		return 0, nil, explain(err)
	}
	rows, err := s.read.QueryContext(ctx, `PRAGMA integrity_check(5)`)
	if err != nil {
		return schema, nil, explain(err)
	}
	problems, err = collect(rows, func(one *string) error { return rows.Scan(one) })
	if len(problems) == 1 && problems[0] == "ok" {
		problems = nil
	}
	return schema, problems, err
}
