package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// mostRulesRead bounds what vmalert may answer about its rules.
const mostRulesRead = 16 << 20

// evaluation is how the rules of one deployment are doing. Like the meter, it outlives the workers.
type evaluation struct {
	look chan struct{} // receives when the rules may have changed

	mu       sync.Mutex
	state    gatehouse.Evaluation // without groups
	endpoint *Endpoint            // of a vmalert that answers
}

func newEvaluation() *evaluation { return &evaluation{look: make(chan struct{}, 1)} }

// lookAtRules makes the deployment's worker compare what it evaluates with what is stored.
func (s *Supervisor) lookAtRules(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.workers[id]; w != nil {
		select {
		case w.rules.look <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// note keeps a state, and reports whether it is another one.
func (e *evaluation) note(state gatehouse.Evaluation, endpoint *Endpoint) (changed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	changed = state.Status != e.state.Status || state.Detail != e.state.Detail || state.Version != e.state.Version || endpoint != e.endpoint
	e.state, e.endpoint = state, endpoint
	return changed
}

func (e *evaluation) now() (gatehouse.Evaluation, *Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state, e.endpoint
}

// Evaluation asks the vmalert of a deployment how its rules are doing. For a deployment without one, it is the zero value.
func (s *Supervisor) Evaluation(ctx context.Context, deploymentID string) (gatehouse.Evaluation, error) {
	s.mu.Lock()
	w := s.workers[deploymentID]
	s.mu.Unlock()
	if w == nil {
		return gatehouse.Evaluation{}, nil
	}
	state, endpoint := w.rules.now()
	if endpoint == nil {
		return state, nil
	}
	status, body, err := get(ctx, s.clientOf(endpoint), endpoint.URL+"/api/v1/rules", askTimeout, mostRulesRead)
	if err == nil && status == http.StatusOK {
		state.Groups, err = parseRules(body)
	} else if err == nil {
		err = fmt.Errorf("HTTP status %d", status)
	}
	if err != nil {
		return state, gatehouse.Errorf(gatehouse.Unavailable, "vmalert does not tell how the rules are doing; look again in a moment").WithCause(err)
	}
	return state, nil
}

// RulesProblem says what keeps the rules of a deployment from being evaluated, or their alerts from the notifier, or is "".
func (s *Supervisor) RulesProblem(deploymentID string) string {
	s.mu.Lock()
	w := s.workers[deploymentID]
	s.mu.Unlock()
	if w == nil {
		return ""
	}
	state, _ := w.rules.now()
	return state.Detail
}

// clientOf makes a client with the credential of a program that Gatehouse runs.
func (s *Supervisor) clientOf(e *Endpoint) *http.Client {
	return &http.Client{Transport: authorized{s.http.Transport, e.authorization()}, CheckRedirect: s.http.CheckRedirect}
}

// rulesAnswer is what vmalert says at /api/v1/rules, https://docs.victoriametrics.com/victoriametrics/vmalert/#web.
type rulesAnswer struct {
	Data struct {
		Groups []struct {
			Name     string
			Interval float64 // seconds
			Rules    []struct {
				Name, Query, Type, Health, LastError string
				LastEvaluation                       time.Time
				LastSamples                          int
				Alerts                               []struct {
					Name, State, Value string
					Labels             map[string]string
					ActiveAt           time.Time
				}
			}
		}
	}
}

func parseRules(body []byte) ([]gatehouse.RuleGroup, error) {
	var answer rulesAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var groups []gatehouse.RuleGroup
	for _, g := range answer.Data.Groups {
		group := gatehouse.RuleGroup{Name: g.Name, Interval: time.Duration(g.Interval * float64(time.Second))}
		for _, r := range g.Rules {
			rule := gatehouse.RuleState{
				Name: r.Name, Alerting: r.Type == "alerting", Query: r.Query, Health: gatehouse.RuleHealth(r.Health), Error: cut(plainError(r.LastError)),
				LastEvaluation: r.LastEvaluation, Samples: r.LastSamples,
			}
			if r.LastEvaluation.IsZero() {
				rule.Health = gatehouse.RuleUnjudged // vmalert calls it ok
			}
			for _, a := range r.Alerts {
				rule.Alerts = append(rule.Alerts, gatehouse.Alert{Name: a.Name, Firing: a.State == "firing", Labels: a.Labels, Value: a.Value, Since: a.ActiveAt})
			}
			group.Rules = append(group.Rules, rule)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// refusedQuery is how vmalert quotes an answer. The URL is that of a loopback port, which means nothing to people, and is so long that
// little room is left for the rest.
var refusedQuery = regexp.MustCompile(`(?s)unexpected response code (\d+) for \S+ Response body (.*)$`)

// plainError gives what VictoriaMetrics, or the access endpoint before it, says about a query that vmalert could not evaluate.
func plainError(text string) string {
	m := refusedQuery.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	var answer struct{ Error string }
	if json.Unmarshal([]byte(m[2]), &answer) == nil && answer.Error != "" {
		return answer.Error
	}
	return "VictoriaMetrics answers HTTP status " + m[1] + ": " + m[2]
}
