package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAlertsAreUndeliveredUntilOneIs(t *testing.T) {
	var d delivery
	now := time.Now()
	look := func(after time.Duration, sent, failed int) bool {
		now = now.Add(after)
		return d.problem(fmt.Appendf(nil, "vmalert_alerts_sent_total{addr=\"a\"} %d\nvmalert_alerts_send_errors_total{addr=\"a\"} %d\n", sent, failed), now) != ""
	}
	for _, step := range []struct {
		after        time.Duration
		sent, failed int
		want         bool
	}{
		{0, 0, 0, false},
		{time.Second, 1, 1, true},
		{time.Minute, 1, 1, true},
		{time.Second, 2, 1, true}, // it may still fail
		{time.Second, 2, 2, true},
		{time.Second, 3, 2, true},
		{20 * time.Second, 3, 2, false},
		{time.Second, 4, 3, true},
	} {
		if got := look(step.after, step.sent, step.failed); got != step.want {
			t.Errorf("after %d sent and %d failed it is %v, not %v", step.sent, step.failed, got, step.want)
		}
	}
}

func TestANotifierThatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{
		Files: []gatehouse.RuleFile{rulesOf("alerts.yml", "alerts", alerting)}, NotifierURL: fmt.Sprintf("http://127.0.0.1:%d", port),
	})
	r.awaitRules(t, "the page says that the alert does not arrive", func(e gatehouse.Evaluation) bool {
		return e.Status == gatehouse.Running && firing(e) && strings.Contains(e.Detail, "alerts do not reach the notifier")
	})
}
