package views

import (
	"context"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// renderedRules is the text of the part of the page that follows what happens.
func renderedRules(t *testing.T, e gatehouse.Evaluation) string {
	t.Helper()
	var b strings.Builder
	page := RulesPage{Files: []gatehouse.RuleFile{{Name: "a.yml"}}, Evaluation: e}
	if err := rulesState(page).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestRulesSayWhenTheyWillBeEvaluated(t *testing.T) {
	const starting = "vmalert is starting"
	if html := renderedRules(t, gatehouse.Evaluation{Status: gatehouse.Provisioning}); !strings.Contains(html, starting) {
		t.Errorf("while vmalert starts: %s", html)
	}
	html := renderedRules(t, gatehouse.Evaluation{Status: gatehouse.Running, Groups: []gatehouse.RuleGroup{{
		Name: "g", Interval: time.Minute, Rules: []gatehouse.RuleState{{Name: "r", Health: gatehouse.RuleUnjudged}},
	}}})
	if !strings.Contains(html, ">Within 1m<") || !strings.Contains(html, "not yet") || strings.Contains(html, starting) {
		t.Errorf("before the first evaluation: %s", html)
	}
}

func TestARuleTellsItsEvaluationFromTheStateOfItsAlert(t *testing.T) {
	rule := gatehouse.RuleState{Name: "Down", Alerting: true, Health: gatehouse.RuleOK, LastEvaluation: time.Now()}
	f := func(want, not string, alerts ...gatehouse.Alert) {
		t.Helper()
		rule.Alerts = alerts
		_, html, _ := strings.Cut(renderedRules(t, gatehouse.Evaluation{
			Status: gatehouse.Running, Groups: []gatehouse.RuleGroup{{Name: "g", Interval: time.Minute, Rules: []gatehouse.RuleState{rule}}},
		}), `aria-label="Group g"`)
		evaluation := `<td data-label="Evaluation"><span class="badge status-running">OK</span>`
		if !strings.Contains(html, evaluation) || !strings.Contains(html, want) || strings.Contains(html, not) {
			t.Errorf("%d alerts: %s", len(alerts), html)
		}
	}
	f(">alert<", "Firing")
	f(">Pending<", "Firing", gatehouse.Alert{Name: "Down"})
	f(">Firing<", "Pending", gatehouse.Alert{Name: "Down"}, gatehouse.Alert{Name: "Down", Firing: true})
}
