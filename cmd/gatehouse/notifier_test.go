package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestANotifierThatTakesNoAlertsIsTold looks at the overview, the metrics and the doctor.
func TestANotifierThatTakesNoAlertsIsTold(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default")
	id, receiver := p.show("default").ID, newAlertmanager(t)
	const check = "rules of default"
	rulesAreUp := func(want string) {
		t.Helper()
		eventually(t, "the metric says "+want, func() error {
			found := regexp.MustCompile(`(?m)^gatehouse_deployment_rules_up\{.*\} (.*)$`).FindStringSubmatch(opsMetrics(t, p))
			if found == nil || found[1] != want {
				return fmt.Errorf("it says %q", found)
			}
			return nil
		})
	}
	doctor := func() map[string][]finding {
		found, _ := doctorSays(t, p.dataDir, "--ops-listen", strings.TrimPrefix(p.ops, "http://"))
		return found
	}
	if found := doctor(); len(found[check]) > 0 {
		t.Errorf("without rules: %+v", found[check])
	}
	newAPIClient(t, p, p.dataDir, "rules").wantStatus(http.StatusNoContent, "POST", storyRules, "deployments", id, "rule-sets", "files", "story.yml")
	rulesAreUp("1")
	wantFinding(t, doctor(), check, fine, "no notifier gets their alerts")

	must(t, p.dataDir, "", "deployment", "set", "default", "--notifier-url", receiver.URL)
	receiver.awaitMore(t, "the notifier gets the firing alert")
	rulesAreUp("1")
	wantFinding(t, doctor(), check, fine, "no alert is kept from the notifier")

	receiver.Close()
	rulesAreUp("0")
	wantFinding(t, doctor(), check, failed, "do not reach the notifier "+receiver.URL)
	b.sees("Alerts do not reach the notifier")
}
