package control

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// Deployments lists all deployments by name.
func (c *Control) Deployments(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.Deployment, error) {
	if err := authorize(actor, gatehouse.ViewDeployments); err != nil {
		return nil, err
	}
	all, err := c.store.Deployments(ctx)
	for i := range all {
		c.correctState(&all[i])
	}
	return all, err
}

// Deployment finds a deployment by ID or name.
func (c *Control) Deployment(ctx context.Context, actor gatehouse.Actor, idOrName string) (gatehouse.Deployment, error) {
	if err := authorize(actor, gatehouse.ViewDeployments); err != nil {
		return gatehouse.Deployment{}, err
	}
	d, err := c.store.FindDeployment(ctx, idOrName)
	c.correctState(&d)
	return d, err
}

// correctState replaces the stored state where it cannot be true: a server that was killed could not say that its engines ended.
func (c *Control) correctState(d *gatehouse.Deployment) {
	switch {
	case c.live && d.State.Status == "":
		d.State.Status = gatehouse.Provisioning
	case !c.live && d.Managed:
		d.State = gatehouse.State{Status: gatehouse.Stopped, Detail: "no server runs on this data directory; start one with: gatehouse serve"}
	case !c.live:
		d.State = gatehouse.State{Detail: "no server runs on this data directory, so nobody checks"}
	}
}

// CreateDeployment makes a managed deployment with its default access token. A running server starts its engine.
func (c *Control) CreateDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment) (gatehouse.Deployment, error) {
	if err := authorize(actor, gatehouse.ChangeDeployments); err != nil {
		return gatehouse.Deployment{}, err
	}
	if n.Retention == (gatehouse.Retention{}) {
		n.Retention = gatehouse.DefaultRetention
	}
	if err := n.CheckManaged(); err != nil {
		return gatehouse.Deployment{}, err
	}
	return c.addDeployment(ctx, actor, n, true)
}

// ConnectDeployment makes a deployment that runs elsewhere known, with its default access token.
func (c *Control) ConnectDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment) (gatehouse.Deployment, error) {
	if err := authorize(actor, gatehouse.ChangeDeployments); err != nil {
		return gatehouse.Deployment{}, err
	}
	if err := n.CheckConnected(); err != nil {
		return gatehouse.Deployment{}, err
	}
	return c.addDeployment(ctx, actor, n, false)
}

func (c *Control) addDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment, managed bool) (gatehouse.Deployment, error) {
	d := gatehouse.Deployment{
		ID: uuid.NewString(), Name: n.Name, Type: n.Type, Managed: managed,
		URLs: trimURLs(n.URLs), InsertURLs: trimURLs(n.InsertURLs), SelectURLs: trimURLs(n.SelectURLs),
		Tier: n.Tier, Retention: n.Retention, MaxConcurrentRequests: maxConcurrentRequests(n),
		CreatedAt: now(), CreatedBy: actor.Creator(),
		State: gatehouse.State{Status: gatehouse.Provisioning},
	}
	if !n.Upstream.IsZero() {
		var err error
		if d.SealedUpstream, err = sealUpstream(c.sealer, d.ID, n.Upstream); err != nil {
			return gatehouse.Deployment{}, err
		}
	}
	token, _, err := c.mint(actor, gatehouse.NewToken{DeploymentID: d.ID, Name: gatehouse.DefaultTokenName, Access: gatehouse.ReadWrite})
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	if err := c.store.CreateDeployment(ctx, d, token, deploymentEvent(actor, d), tokenEvent(actor, gatehouse.TokenCreated, token.Token)); err != nil {
		return gatehouse.Deployment{}, err
	}
	c.correctState(&d)
	return d, c.publish(ctx)
}

func deploymentEvent(actor gatehouse.Actor, d gatehouse.Deployment) gatehouse.AuditEvent {
	action := gatehouse.DeploymentCreated
	if d.Connected() {
		action = gatehouse.DeploymentConnected
	}
	e := event(actor, action, d.ID, d.Name)
	e.DeploymentID = d.ID
	e.Details = map[string]string{"type": string(d.Type), "max_concurrent_requests": strconv.Itoa(d.MaxConcurrentRequests)}
	if len(d.SealedUpstream) > 0 {
		e.Details["upstream"] = "with credentials or certificates"
	}
	for key, value := range map[string]string{
		"tier": d.Tier, "retention": d.Retention.String(), "url": strings.Join(d.URLs, " "),
		"insert_url": strings.Join(d.InsertURLs, " "), "select_url": strings.Join(d.SelectURLs, " "),
	} {
		if value != "" {
			e.Details[key] = value
		}
	}
	return e
}

func maxConcurrentRequests(n gatehouse.NewDeployment) int {
	if n.MaxConcurrentRequests > 0 {
		return n.MaxConcurrentRequests
	}
	if tier, ok := gatehouse.TierByName(n.Tier); ok {
		return tier.MaxConcurrentRequests
	}
	return gatehouse.DefaultMaxConcurrentRequests
}

func trimURLs(urls []string) []string {
	var trimmed []string
	for _, u := range urls {
		trimmed = append(trimmed, strings.TrimRight(u, "/"))
	}
	return trimmed
}

// DeleteDeployment deletes a deployment with all its access tokens, which stop working at once. A running server stops the engine
// of a managed one and moves its data to the trash folder of the data directory.
func (c *Control) DeleteDeployment(ctx context.Context, actor gatehouse.Actor, id string) error {
	if err := authorize(actor, gatehouse.ChangeDeployments); err != nil {
		return err
	}
	d, err := c.store.FindDeployment(ctx, id)
	if err != nil {
		return err
	}
	e := event(actor, gatehouse.DeploymentDeleted, d.ID, d.Name)
	e.DeploymentID = d.ID
	if err := c.store.DeleteDeployment(ctx, d.ID, e); err != nil {
		return err
	}
	return c.publish(ctx)
}

// EnsureDefaultDeployment makes the managed deployment "default" on the very first start. Once there has been any deployment it
// does nothing: what was deleted stays deleted.
func (c *Control) EnsureDefaultDeployment(ctx context.Context, actor gatehouse.Actor) error {
	if err := authorize(actor, gatehouse.ChangeDeployments); err != nil {
		return err
	}
	had, err := c.store.EverHadDeployment(ctx)
	if err != nil || had {
		return err
	}
	_, err = c.CreateDeployment(ctx, actor, gatehouse.NewDeployment{Name: gatehouse.DefaultDeploymentName, Type: gatehouse.SingleNode})
	return err
}
