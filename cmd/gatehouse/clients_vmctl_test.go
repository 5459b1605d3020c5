package main

import (
	"net/http"
	"os/exec"
	"testing"
)

// TestVmctlCopies copies a metric from one tenant to another, with a token that reads the one and a token that writes the other.
func TestVmctlCopies(t *testing.T) {
	t.Parallel()
	vmctl := clusterProgram(t, "vmctl")
	c := startCluster(t)
	p := serve(t, newDataDir(t), "--engine-dir", t.TempDir())
	c.connect(p, "fleet")
	seven, any := tenantToken(t, p, "seven", "7"), newToken(t, p.dataDir, "fleet", "any", "rw")
	p.answers(http.StatusNoContent, "POST", seven, writeSuffix, "moved 3")
	p.below(t, "/prometheus").arrives(seven, "moved == 3")

	run := func(t *testing.T, args ...string) {
		t.Helper()
		args = append([]string{"vm-native", "-s", "--disable-progress-bar", "--vm-native-filter-match=moved", "--vm-native-filter-time-start=-1h"}, args...)
		if out, err := exec.Command(vmctl, args...).CombinedOutput(); err != nil {
			t.Errorf("vmctl: %v: %s", err, out)
		}
	}
	source := []string{"--vm-native-src-addr=" + p.access + "/prometheus", "--vm-native-src-bearer-token=" + seven}
	t.Run("to another tenant with an any-tenant token", func(t *testing.T) {
		run(t, append(source, "--vm-native-dst-addr="+p.access+"/insert/8/prometheus", "--vm-native-dst-bearer-token="+any)...)
		p.below(t, "/select/8/prometheus").arrives(any, "moved == 3")
	})
	t.Run("within its tenant with a tenant token and another label", func(t *testing.T) {
		run(t, append(source, "--vm-native-dst-addr="+p.access+"/prometheus", "--vm-native-dst-bearer-token="+seven, "--vm-extra-label=copied=yes")...)
		p.below(t, "/prometheus").arrives(seven, `moved{copied="yes"} == 3`)
	})
	t.Run("as JSON lines", func(t *testing.T) {
		run(t, append(source, "--vm-native-disable-binary-protocol", "--vm-native-dst-addr="+p.access+"/insert/9/prometheus", "--vm-native-dst-bearer-token="+any)...)
		p.below(t, "/select/9/prometheus").arrives(any, "moved == 3")
	})
	c.arrivesIn(t, "7:0 8:0 9:0", "moved")
}
