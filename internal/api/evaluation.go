package api

import (
	"time"

	"gatehouse/internal/gatehouse"
)

type evaluation struct {
	Status  string      `json:"status" doc:"How vmalert is doing, which evaluates the rules: PROVISIONING, RUNNING or ERROR. Empty: nothing is evaluated." example:"RUNNING"`
	Detail  string      `json:"status_detail" doc:"Explains the status, with the remedy. May be empty."`
	Version string      `json:"version" doc:"Version of vmalert. Empty: not known." example:"v1.151.0"`
	Groups  []ruleGroup `json:"groups" doc:"Groups of rules that are evaluated."`
}

type ruleGroup struct {
	Name     string      `json:"name" doc:"Name of the group." example:"example"`
	Interval float64     `json:"interval_seconds" doc:"How often it is evaluated." example:"60"`
	Rules    []ruleState `json:"rules" doc:"Rules of the group."`
}

type ruleState struct {
	Name           string     `json:"name" doc:"Name of the alert, or of the series that is recorded." example:"job:up:sum"`
	Type           string     `json:"type" doc:"Kind of the rule." enum:"recording,alerting" example:"recording"`
	Query          string     `json:"query" doc:"Expression in MetricsQL." example:"sum by (job) (up)"`
	Health         string     `json:"health" doc:"How the last evaluation went." enum:"ok,err,unknown" example:"ok"`
	Error          string     `json:"error" doc:"Why it failed. May be empty."`
	LastEvaluation *time.Time `json:"last_evaluation" doc:"When it was last evaluated. null: never." example:"\"2026-11-24T12:00:00Z\""`
	Samples        int        `json:"samples" doc:"Samples that the last evaluation gave." example:"3"`
	Alerts         []alert    `json:"alerts" doc:"Alerts that are firing or pending."`
}

type alert struct {
	Name   string            `json:"name" doc:"Name of the alert." example:"TooManyErrors"`
	State  string            `json:"state" doc:"pending: it fires if its condition holds for long enough." enum:"firing,pending" example:"firing"`
	Labels map[string]string `json:"labels" doc:"Labels of the alert." example:"{\"severity\":\"page\"}"`
	Value  string            `json:"value" doc:"Value of the expression." example:"17"`
	Since  time.Time         `json:"since" doc:"Since when its condition holds." example:"2026-11-24T12:00:00Z"`
}

func (a *api) getEvaluation(c call[none]) (evaluation, error) {
	d, err := c.deployment(a)
	if err != nil {
		return evaluation{}, err
	}
	e, err := a.Control.Evaluation(c.ctx, c.actor, d.ID)
	if err != nil {
		return evaluation{}, err
	}
	out := evaluation{Status: string(e.Status), Detail: e.Detail, Version: e.Version, Groups: []ruleGroup{}}
	for _, g := range e.Groups {
		group := ruleGroup{Name: g.Name, Interval: g.Interval.Seconds(), Rules: []ruleState{}}
		for _, r := range g.Rules {
			group.Rules = append(group.Rules, ruleStateOf(r))
		}
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

func ruleStateOf(r gatehouse.RuleState) ruleState {
	out := ruleState{Name: r.Name, Type: "recording", Query: r.Query, Health: string(r.Health), Error: r.Error, Samples: r.Samples, Alerts: []alert{}}
	if r.Alerting {
		out.Type = "alerting"
	}
	if !r.LastEvaluation.IsZero() {
		at := r.LastEvaluation.UTC()
		out.LastEvaluation = &at
	}
	for _, one := range r.Alerts {
		state := "pending"
		if one.Firing {
			state = "firing"
		}
		labels := one.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		out.Alerts = append(out.Alerts, alert{Name: one.Name, State: state, Labels: labels, Value: one.Value, Since: one.Since.UTC()})
	}
	return out
}
