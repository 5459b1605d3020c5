package gatehouse_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The folder rule of the README: a folder knows only what it must.

func TestTheDomainKnowsNobody(t *testing.T) {
	for _, line := range goList(t, "-deps", "-f", "{{.ImportPath}} {{.Standard}}", "gatehouse/internal/gatehouse") {
		path, standard, _ := strings.Cut(line, " ")
		if standard != "true" && path != "gatehouse/internal/gatehouse" {
			t.Errorf("the domain depends on %s", path)
		}
		if path == "net/http" || path == "database/sql" {
			t.Errorf("the domain depends on %s", path)
		}
	}
}

func TestOnlyTheStoreKnowsSQL(t *testing.T) {
	const store = "gatehouse/internal/sqlite"
	users := map[string][]string{ // who may import what, tests aside
		"database/sql":                   {store},
		"github.com/mattn/go-sqlite3":    {store},
		"gatehouse/internal/sqlite":      {"gatehouse/cmd/gatehouse", "gatehouse/bench"},
		"github.com/tink-crypto/tink-go": {"gatehouse/internal/secret"},
	}
	for _, line := range goList(t, "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "gatehouse/...") {
		importer, imports, _ := strings.Cut(line, " ")
		for _, path := range strings.Fields(imports) {
			for banned, allowed := range users {
				if (path == banned || strings.HasPrefix(path, banned+"/")) && !slices.Contains(allowed, importer) {
					t.Errorf("%s imports %s", importer, path)
				}
			}
		}
	}
}

func TestControlKnowsNeitherHTTPNorSQL(t *testing.T) {
	imports := goList(t, "-f", `{{join .Imports "\n"}}`, "gatehouse/internal/control")
	for _, banned := range []string{"net/http", "database/sql"} {
		if slices.Contains(imports, banned) {
			t.Errorf("internal/control imports %s", banned)
		}
	}
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) == 0 || lines[0] == "" {
		t.Fatal("go list lists nothing")
	}
	return lines
}
