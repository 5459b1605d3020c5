package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/rulefile"
)

// ruleStore keeps rule files.
type ruleStore interface {
	// RuleFiles leaves out the content.
	RuleFiles(ctx context.Context, deploymentID string) ([]gatehouse.RuleFile, error)
	RuleFile(ctx context.Context, deploymentID, name string) (gatehouse.RuleFile, error)
	// PutRuleFile makes or replaces a file, unless the deployment would then have more than gatehouse.MostRules rules or a group
	// name twice. record makes the event of the change; old is nil when there was no such file.
	PutRuleFile(ctx context.Context, f gatehouse.RuleFile, record func(old *gatehouse.RuleFile) gatehouse.AuditEvent) error
	DeleteRuleFile(ctx context.Context, deploymentID, name string, record func(old gatehouse.RuleFile) gatehouse.AuditEvent) error
}

// RuleFiles lists the rule files of a deployment by name, without their content.
func (c *Control) RuleFiles(ctx context.Context, actor gatehouse.Actor, deploymentID string) ([]gatehouse.RuleFile, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewRules, deploymentID)
	if err != nil {
		return nil, err
	}
	return c.store.RuleFiles(ctx, d.ID)
}

// RuleFile finds a rule file, with its content.
func (c *Control) RuleFile(ctx context.Context, actor gatehouse.Actor, deploymentID, name string) (gatehouse.RuleFile, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewRules, deploymentID)
	if err != nil {
		return gatehouse.RuleFile{}, err
	}
	return c.store.RuleFile(ctx, d.ID, name)
}

// PutRuleFile makes or replaces a rule file. What is not a valid one is refused, with the line of the error. A running server evaluates
// the rules.
func (c *Control) PutRuleFile(ctx context.Context, actor gatehouse.Actor, deploymentID, name string, content []byte) error {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeRules, deploymentID)
	if err != nil {
		return err
	}
	if err := gatehouse.CheckRuleFileName(name); err != nil {
		return err
	}
	groups, err := rulefile.Parse(content)
	if err != nil {
		return err
	}
	f := gatehouse.RuleFile{DeploymentID: d.ID, Name: name, Content: content, ChangedAt: now(), ChangedBy: actor.Creator()}
	for _, g := range groups {
		f.Groups = append(f.Groups, g.Name)
		f.Rules += g.Rules
	}
	err = c.store.PutRuleFile(ctx, f, func(old *gatehouse.RuleFile) gatehouse.AuditEvent {
		e := ruleEvent(actor, gatehouse.RulesUploaded, d.ID, name)
		e.After = contentDetails(f)
		if old != nil {
			e.Before, e.After = differences(contentDetails(*old), e.After)
		}
		return e
	})
	if err != nil {
		return err
	}
	return c.publish(ctx)
}

// DeleteRuleFile deletes a rule file.
func (c *Control) DeleteRuleFile(ctx context.Context, actor gatehouse.Actor, deploymentID, name string) error {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeRules, deploymentID)
	if err != nil {
		return err
	}
	err = c.store.DeleteRuleFile(ctx, d.ID, name, func(old gatehouse.RuleFile) gatehouse.AuditEvent {
		e := ruleEvent(actor, gatehouse.RulesDeleted, d.ID, name)
		e.Before = contentDetails(old)
		return e
	})
	if err != nil {
		return err
	}
	return c.publish(ctx)
}

// Evaluation tells how the rules of a deployment are doing.
func (c *Control) Evaluation(ctx context.Context, actor gatehouse.Actor, deploymentID string) (gatehouse.Evaluation, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewRules, deploymentID)
	if err != nil || c.engines == nil {
		return gatehouse.Evaluation{}, err
	}
	return c.engines.Evaluation(ctx, d.ID)
}

// ruleEvent is about a file, which has no ID: its name is unique within the deployment.
func ruleEvent(actor gatehouse.Actor, action gatehouse.Action, deploymentID, name string) gatehouse.AuditEvent {
	e := event(actor, action, "", name)
	e.DeploymentID = deploymentID
	return e
}

// contentDetails is what the audit log keeps of a file: too little to restore it, enough to know it again.
func contentDetails(f gatehouse.RuleFile) map[string]string {
	sum := sha256.Sum256(f.Content)
	return map[string]string{
		"groups": strconv.Itoa(len(f.Groups)), "rules": strconv.Itoa(f.Rules), "bytes": strconv.Itoa(len(f.Content)), "sha256": hex.EncodeToString(sum[:]),
	}
}
