package access

import (
	"testing"

	"gatehouse/internal/gatehouse"
)

// TestKnownPathsCoverTheTable fails when a row is added of which KnownPaths gives no path.
func TestKnownPathsCoverTheTable(t *testing.T) {
	for _, on := range []gatehouse.DeploymentType{gatehouse.SingleNode, gatehouse.Cluster} {
		met := map[*row]bool{}
		for _, path := range KnownPaths(on) {
			if cleaned, err := CleanPath(path); err != nil || cleaned != path {
				t.Errorf("%s: no client sends %q", on, path)
			}
			r := pathsOf[on].match(path)
			if r.kind == none || r.kind == Own {
				t.Errorf("%s: %q is %s", on, path, r.kind)
			}
			met[r] = true
		}
		for i := range table {
			if r := &table[i]; (r.on == "" || r.on == on) && r.kind != Own && !met[r] {
				t.Errorf("%s: no path of the row %q %q", on, r.exact, r.prefixes)
			}
		}
	}
}
