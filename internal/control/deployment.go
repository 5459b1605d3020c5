package control

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// deploymentStore keeps deployments.
type deploymentStore interface {
	CreateDeployment(ctx context.Context, d gatehouse.Deployment, token gatehouse.StoredToken, events ...gatehouse.AuditEvent) error
	Deployments(ctx context.Context) ([]gatehouse.Deployment, error)
	FindDeployment(ctx context.Context, idOrName string) (gatehouse.Deployment, error)
	EverHadDeployment(ctx context.Context) (bool, error)
	// UpdateDeployment stores what change makes of the deployment. change sees it as it is now and makes the event.
	UpdateDeployment(ctx context.Context, id string, change func(*gatehouse.Deployment) (gatehouse.AuditEvent, error)) error
	DeleteDeployment(ctx context.Context, id string, event gatehouse.AuditEvent) error
}

// Deployments lists the deployments by name: all, or those that the actor's API key is for.
func (c *Control) Deployments(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.Deployment, error) {
	if err := c.authorizeSomewhere(ctx, actor, gatehouse.ViewDeployments); err != nil {
		return nil, err
	}
	all, err := c.store.Deployments(ctx)
	all = slices.DeleteFunc(all, func(d gatehouse.Deployment) bool { return !actor.CanOn(gatehouse.ViewDeployments, d.ID) })
	for i := range all {
		c.correctState(&all[i])
	}
	return all, err
}

// Deployment finds a deployment by ID or name.
func (c *Control) Deployment(ctx context.Context, actor gatehouse.Actor, idOrName string) (gatehouse.Deployment, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewDeployments, idOrName)
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	c.correctState(&d)
	return d, nil
}

// deploymentFor finds the deployment for which the actor needs the right. It is the first line of the methods that take one.
func (c *Control) deploymentFor(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, idOrName string) (gatehouse.Deployment, error) {
	d, err := c.store.FindDeployment(ctx, idOrName)
	if !actor.CanSomewhere(right) {
		return gatehouse.Deployment{}, c.deny(ctx, actor, right, deploymentTarget(d)) // the answer is the same where there is none
	}
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	return d, c.authorizeOn(ctx, actor, right, deploymentTarget(d))
}

// correctState replaces the stored state where it cannot be true: a server that was killed could not say that its engines ended, and
// one whose disk is full can store nothing.
func (c *Control) correctState(d *gatehouse.Deployment) {
	if state, ok := c.unstored(d.ID); ok {
		d.State = state
	}
	switch {
	case c.live && d.State.Status == "":
		d.State.Status = gatehouse.Provisioning
	case !c.live && d.StoppedBy != "":
		d.State = gatehouse.State{Status: gatehouse.Stopped, Detail: "stopped by " + d.StoppedBy}
	case !c.live && d.Managed:
		d.State = gatehouse.State{Status: gatehouse.Stopped, Detail: "no server runs on this data directory; start one with: gatehouse serve"}
	case !c.live:
		d.State = gatehouse.State{Detail: "no server runs on this data directory, so nobody checks"}
	}
}

// CreateDeployment makes a managed deployment with its default access token. A running server starts its engine.
func (c *Control) CreateDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment) (gatehouse.Deployment, error) {
	if err := c.authorize(ctx, actor, gatehouse.ChangeDeployments); err != nil {
		return gatehouse.Deployment{}, err
	}
	if n.Retention == (gatehouse.Retention{}) {
		n.Retention = gatehouse.DefaultRetention
	}
	if err := n.CheckManaged(); err != nil {
		return gatehouse.Deployment{}, err
	}
	if err := c.canRun(n.Type); err != nil {
		return gatehouse.Deployment{}, err
	}
	return c.addDeployment(ctx, actor, n, true)
}

// canRun refuses what could only fail, where that is known.
func (c *Control) canRun(t gatehouse.DeploymentType) error {
	if c.engines == nil {
		return nil
	}
	return c.engines.CanRun(t)
}

// ConnectDeployment makes a deployment that runs elsewhere known, with its default access token.
func (c *Control) ConnectDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment) (gatehouse.Deployment, error) {
	if err := c.authorize(ctx, actor, gatehouse.ChangeDeployments); err != nil {
		return gatehouse.Deployment{}, err
	}
	if err := n.CheckConnected(); err != nil {
		return gatehouse.Deployment{}, err
	}
	return c.addDeployment(ctx, actor, n, false)
}

func (c *Control) addDeployment(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewDeployment, managed bool) (gatehouse.Deployment, error) {
	d, token, err := c.newDeployment(actor, n, managed)
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	if err := c.store.CreateDeployment(ctx, d, token, deploymentEvent(actor, d), tokenEvent(actor, gatehouse.TokenCreated, token.Token)); err != nil {
		return gatehouse.Deployment{}, err
	}
	c.correctState(&d)
	return d, c.publish(ctx)
}

// newDeployment makes a deployment and its default access token in memory.
func (c *Control) newDeployment(actor gatehouse.Actor, n gatehouse.NewDeployment, managed bool) (gatehouse.Deployment, gatehouse.StoredToken, error) {
	d := gatehouse.Deployment{
		ID: uuid.NewString(), Name: n.Name, Type: n.Type, Managed: managed,
		URLs: trimURLs(n.URLs), InsertURLs: trimURLs(n.InsertURLs), SelectURLs: trimURLs(n.SelectURLs),
		Tier: n.Tier, Retention: n.Retention, Provider: cmp.Or(n.Provider, gatehouse.Providers[0]), Region: cmp.Or(n.Region, gatehouse.Regions[0]),
		StorageGB: n.StorageGB, Deduplication: n.Deduplication, MaintenanceWindow: n.MaintenanceWindow, Flags: withoutEmptyLists(n.Flags),
		MaxConcurrentRequests: cmp.Or(n.MaxConcurrentRequests, tierLimit(n.Tier)),
		CreatedAt:             now(), CreatedBy: actor.Creator(),
		State: gatehouse.State{Status: gatehouse.Provisioning},
	}
	if !n.Upstream.IsZero() {
		var err error
		if d.SealedUpstream, err = sealUpstream(c.sealer, d.ID, n.Upstream); err != nil {
			return d, gatehouse.StoredToken{}, err
		}
	}
	token, _, err := c.mint(actor, gatehouse.NewToken{DeploymentID: d.ID, Name: gatehouse.DefaultTokenName, Access: gatehouse.ReadWrite})
	return d, token, err
}

func deploymentEvent(actor gatehouse.Actor, d gatehouse.Deployment) gatehouse.AuditEvent {
	action := gatehouse.DeploymentCreated
	if d.Connected() {
		action = gatehouse.DeploymentConnected
	}
	e := event(actor, action, d.ID, d.Name)
	e.DeploymentID = d.ID
	e.Details = settingDetails(d)
	delete(e.Details, "name") // the object's
	if d.StorageGB == 0 {
		delete(e.Details, "storage_gb")
	}
	if d.Deduplication.Value == 0 {
		delete(e.Details, "deduplication")
	}
	if len(d.SealedUpstream) > 0 {
		e.Details["upstream"] = "with credentials or certificates"
	}
	maps.Copy(e.Details, map[string]string{
		"type": string(d.Type), "provider": d.Provider, "region": d.Region, "url": strings.Join(d.URLs, " "),
		"insert_url": strings.Join(d.InsertURLs, " "), "select_url": strings.Join(d.SelectURLs, " "),
	})
	maps.DeleteFunc(e.Details, func(_, value string) bool { return value == "" })
	return e
}

// tierLimit is the limit of concurrent requests per token that comes with a tier.
func tierLimit(tier string) int {
	if t, ok := gatehouse.TierByName(tier); ok {
		return t.MaxConcurrentRequests
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

// UpdateDeployment replaces the settings of a deployment, all of them. A running server restarts the engine where that is needed. Of
// a connected deployment only the name and the limit of concurrent requests are Gatehouse's to change.
func (c *Control) UpdateDeployment(ctx context.Context, actor gatehouse.Actor, idOrName string, s gatehouse.Settings) (gatehouse.Deployment, error) {
	return c.ChangeDeployment(ctx, actor, idOrName, func(now *gatehouse.Settings) error { *now = s; return nil })
}

// ChangeDeployment is UpdateDeployment for those who change some settings and leave the others as they are. change gets them as they
// are when nobody else can change them; its error is the method's.
func (c *Control) ChangeDeployment(ctx context.Context, actor gatehouse.Actor, idOrName string, change func(*gatehouse.Settings) error) (gatehouse.Deployment, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeDeployments, idOrName)
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	state := d.State
	err = c.store.UpdateDeployment(ctx, d.ID, func(stored *gatehouse.Deployment) (gatehouse.AuditEvent, error) {
		before, s := *stored, stored.Settings()
		if err := change(&s); err != nil {
			return gatehouse.AuditEvent{}, err
		}
		if err := apply(s, stored); err != nil {
			return gatehouse.AuditEvent{}, err
		}
		if err := c.checkUsed(before, *stored); err != nil {
			return gatehouse.AuditEvent{}, err
		}
		d = *stored
		e := event(actor, gatehouse.DeploymentChanged, d.ID, d.Name)
		e.DeploymentID = d.ID
		e.Before, e.After = differences(settingDetails(before), settingDetails(d))
		return e, nil
	})
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	d.State = state
	c.correctState(&d)
	return d, c.publish(ctx)
}

// checkUsed refuses a storage limit that is used up already.
func (c *Control) checkUsed(before, after gatehouse.Deployment) error {
	if after.StorageGB == 0 || after.StorageGB == before.StorageGB {
		return nil
	}
	if used, known := c.diskUsed(after.ID); known && used > after.StorageGB<<30 {
		return gatehouse.InvalidField("storage_size", "the deployment uses %d GB already; choose more, or shorten the retention first", used>>30+1)
	}
	return nil
}

// apply gives d the settings, if they are valid for it.
func apply(s gatehouse.Settings, d *gatehouse.Deployment) error {
	old := d.Settings()
	s.Flags = withoutEmptyLists(s.Flags)
	if d.Connected() {
		renamed := old
		renamed.Name, renamed.MaxConcurrentRequests = s.Name, s.MaxConcurrentRequests
		if !reflect.DeepEqual(s, renamed) {
			return gatehouse.InvalidField("", "a connected deployment has its settings where it runs; here only its name and the limit of concurrent requests can be changed")
		}
		d.Name, d.MaxConcurrentRequests = s.Name, cmp.Or(s.MaxConcurrentRequests, d.MaxConcurrentRequests)
		return renamed.CheckConnected()
	}
	if s.Retention == (gatehouse.Retention{}) {
		s.Retention = gatehouse.DefaultRetention
	}
	if err := s.Check(d.Type); err != nil {
		return err
	}
	if err := s.GrowsFrom(old); err != nil {
		return err
	}
	if d.MaxConcurrentRequests == tierLimit(d.Tier) { // otherwise it was chosen, and stays
		d.MaxConcurrentRequests = tierLimit(s.Tier)
	}
	d.MaxConcurrentRequests = cmp.Or(s.MaxConcurrentRequests, d.MaxConcurrentRequests)
	d.Name, d.Tier, d.Retention, d.StorageGB = s.Name, s.Tier, s.Retention, s.StorageGB
	d.Deduplication, d.MaintenanceWindow, d.Flags = s.Deduplication, s.MaintenanceWindow, s.Flags
	return nil
}

// withoutEmptyLists makes an empty list nil, so that equal settings compare as equal.
func withoutEmptyLists(f gatehouse.Flags) gatehouse.Flags {
	for _, list := range []*[]string{&f.Single, &f.Select, &f.Storage, &f.Insert} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return f
}

// settingDetails are the settings as the audit log spells them.
func settingDetails(d gatehouse.Deployment) map[string]string {
	return map[string]string{
		"name": d.Name, "tier": d.Tier, "retention": d.Retention.String(), "storage_gb": strconv.FormatUint(d.StorageGB, 10),
		"deduplication":      strconv.FormatUint(uint64(d.Deduplication.Value), 10) + d.Deduplication.Unit,
		"maintenance_window": d.MaintenanceWindow, "max_concurrent_requests": strconv.Itoa(d.MaxConcurrentRequests),
		"single_flags": strings.Join(d.Flags.Single, " "), "select_flags": strings.Join(d.Flags.Select, " "),
		"storage_flags": strings.Join(d.Flags.Storage, " "), "insert_flags": strings.Join(d.Flags.Insert, " "),
	}
}

// differences gives the entries of before and after that differ, for the audit log.
func differences(before, after map[string]string) (was, is map[string]string) {
	was, is = map[string]string{}, map[string]string{}
	for key := range after {
		if before[key] != after[key] {
			was[key], is[key] = before[key], after[key]
		}
	}
	return was, is
}

// DeleteDeployment deletes a deployment with all its access tokens, which stop working at once. A running server stops the engine
// of a managed one and moves its data to the trash, from which RestoreDeployment takes it back.
func (c *Control) DeleteDeployment(ctx context.Context, actor gatehouse.Actor, id string) error {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeDeployments, id)
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
	if err := c.authorize(ctx, actor, gatehouse.ChangeDeployments); err != nil {
		return err
	}
	had, err := c.store.EverHadDeployment(ctx)
	if err != nil || had {
		return err
	}
	_, err = c.CreateDeployment(ctx, actor, gatehouse.NewDeployment{Name: gatehouse.DefaultDeploymentName, Type: gatehouse.SingleNode})
	return err
}
