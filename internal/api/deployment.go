package api

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

type deploymentSummary struct {
	ID            string    `json:"id" doc:"UUID of the deployment." example:"0d9b24bb-60c3-4e0c-9ddc-0b5a2ea7a9c1"`
	Name          string    `json:"name" doc:"Name of the deployment, unique." example:"production"`
	Type          string    `json:"type" doc:"Shape of the deployment." enum:"single_node,cluster" example:"single_node"`
	Tier          uint32    `json:"tier" doc:"Number of the tier." example:"21"`
	Version       string    `json:"version" doc:"Version of VictoriaMetrics. Empty: not known." example:"v1.151.0"`
	CloudProvider string    `json:"cloud_provider" doc:"Provider, as it was sent." example:"local"`
	Region        string    `json:"region" doc:"Region." example:"local"`
	CreatedAt     time.Time `json:"created_at" doc:"When it was made or connected." example:"2026-11-24T12:00:00Z"`
	Status        string    `json:"status" doc:"How it is doing." enum:"PROVISIONING,RUNNING,ERROR,STOPPED" example:"RUNNING"`
}

type price struct {
	ComputeCost float64 `json:"compute_cost" doc:"Always 0."`
	StorageCost float64 `json:"storage_cost" doc:"Always 0."`
	TotalCost   float64 `json:"total_cost" doc:"Always 0."`
}

type deployment struct {
	deploymentSummary
	RetentionValue     uint32   `json:"retention_value" doc:"How long data is kept, in units. 0: not known, since the deployment is connected." example:"6"`
	RetentionUnit      string   `json:"retention_unit" doc:"d is days, m is months." example:"m"`
	DeduplicationValue uint32   `json:"deduplication_value" doc:"One sample per series is kept in each interval of so many units. 0: all are kept." example:"30"`
	DeduplicationUnit  string   `json:"deduplication_unit" doc:"s is seconds, ms is milliseconds." example:"s"`
	StorageSizeGB      uint64   `json:"storage_size_gb" doc:"Disk space in GB. 0: as much as the disk has." example:"20"`
	MaintenanceWindow  string   `json:"maintenance_window" doc:"When it may be updated. Empty: at any time." example:"Sat-Sun 3-4am"`
	Price              price    `json:"price" doc:"USD per month: nothing."`
	SingleSettings     []string `json:"vmsingle_settings,omitempty" doc:"Further flags of a single node."`
	StorageSettings    []string `json:"vmstorage_settings,omitempty" doc:"Further flags of vmstorage."`
	SelectSettings     []string `json:"vmselect_settings,omitempty" doc:"Further flags of vmselect."`
	InsertSettings     []string `json:"vminsert_settings,omitempty" doc:"Further flags of vminsert."`
	AccessEndpoint     string   `json:"access_endpoint" doc:"URL to which clients send data and queries, with an access token." example:"https://metrics.example.com"`

	Managed               bool     `json:"managed" doc:"Whether Gatehouse runs it. Otherwise it is connected: it runs elsewhere." example:"true"`
	StatusDetail          string   `json:"status_detail" doc:"Explains the status, with the remedy. May be empty."`
	MaxConcurrentRequests int      `json:"max_concurrent_requests" doc:"Requests that one access token may have running." example:"600"`
	CreatedBy             string   `json:"created_by" doc:"Who made or connected it." example:"ops@example.com"`
	TierName              string   `json:"tier_name" doc:"Name of the tier." example:"s.starter.a"`
	StoppedBy             string   `json:"stopped_by,omitempty" doc:"Who has stopped it. Left out: it is not stopped."`
	NotifierURL           string   `json:"notifier_url,omitempty" doc:"URL of the Alertmanager that gets the alerts of its rules. Left out: none does."`
	URLs                  []string `json:"urls,omitempty" doc:"Of a connected single node: where it answers."`
	InsertURLs            []string `json:"insert_urls,omitempty" doc:"Of a connected cluster: where vminsert answers."`
	SelectURLs            []string `json:"select_urls,omitempty" doc:"Of a connected cluster: where vmselect answers."`
}

func (a *api) summaryOf(d gatehouse.Deployment) deploymentSummary {
	version := d.State.Version
	if d.Managed {
		version = cmp.Or(version, a.EngineVersion(d.Type)) // the same from the first answer on, also before the engine runs
	}
	return deploymentSummary{
		ID: d.ID, Name: d.Name, Type: string(d.Type), Tier: tierOf(d).ID, Version: version, CloudProvider: d.Provider, Region: d.Region,
		CreatedAt: d.CreatedAt, Status: string(d.State.Status),
	}
}

func (a *api) deploymentOf(d gatehouse.Deployment) deployment {
	return deployment{
		deploymentSummary: a.summaryOf(d),
		RetentionValue:    d.Retention.Value, RetentionUnit: d.Retention.Unit,
		DeduplicationValue: d.Deduplication.Value, DeduplicationUnit: d.Deduplication.Unit,
		StorageSizeGB: d.StorageGB, MaintenanceWindow: d.MaintenanceWindow,
		SingleSettings: d.Flags.Single, StorageSettings: d.Flags.Storage, SelectSettings: d.Flags.Select, InsertSettings: d.Flags.Insert,
		AccessEndpoint: a.AccessEndpointURL,
		Managed:        d.Managed, StatusDetail: d.State.Detail, MaxConcurrentRequests: d.MaxConcurrentRequests, CreatedBy: d.CreatedBy,
		TierName: tierOf(d).Name, StoppedBy: d.StoppedBy, NotifierURL: d.NotifierURL,
		URLs: d.URLs, InsertURLs: d.InsertURLs, SelectURLs: d.SelectURLs,
	}
}

// tierOf is the tier of a deployment. One that has none, as those that run elsewhere, has the one without limits.
func tierOf(d gatehouse.Deployment) gatehouse.Tier {
	if t, ok := gatehouse.TierByName(d.Tier); ok && d.Tier != "" {
		return t
	}
	if d.Connected() {
		return gatehouse.Unlimited // whatever its type, so that its number never changes
	}
	return gatehouse.UnlimitedFor(d.Type)
}

// tierName finds the tier of that number. One that the deployment has already keeps its name: there are two for no limits.
func tierName(id uint32, current gatehouse.Deployment) (string, error) {
	if id == tierOf(current).ID {
		return current.Tier, nil
	}
	t, ok := gatehouse.TierByID(id)
	if !ok {
		return "", gatehouse.InvalidField("tier", "there is no tier with the number %d; GET %s/tiers lists all", id, Prefix)
	}
	return t.Name, nil
}

func (a *api) listDeployments(c call[none]) ([]deploymentSummary, error) {
	all, err := a.Control.Deployments(c.ctx, c.actor)
	summaries := make([]deploymentSummary, 0, len(all))
	for _, d := range all {
		summaries = append(summaries, a.summaryOf(d))
	}
	return summaries, err
}

// deployment finds the deployment that the path names.
func (c call[In]) deployment(a *api) (gatehouse.Deployment, error) {
	return a.findDeployment(c.ctx, c.actor, c.path("id"))
}

// findDeployment finds a deployment by its ID, and by nothing else: control would take a name too.
func (a *api) findDeployment(ctx context.Context, actor gatehouse.Actor, text string) (gatehouse.Deployment, error) {
	missing := gatehouse.Errorf(gatehouse.NotFound, "there is no deployment with this ID; list the deployments to see what there is")
	id, ok := canonicalID(text)
	if !ok {
		return gatehouse.Deployment{}, missing
	}
	d, err := a.Control.Deployment(ctx, actor, id)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound || err == nil && d.ID != id { // or one whose name is another one's ID
		return gatehouse.Deployment{}, missing
	}
	return d, err
}

func (a *api) getDeployment(c call[none]) (deployment, error) {
	d, err := c.deployment(a)
	if err != nil {
		return deployment{}, err
	}
	return a.deploymentOf(d), nil
}

// deploymentSettings are the fields that creating and updating have in common.
type deploymentSettings struct {
	Name              string `json:"name" doc:"Name of the deployment, 1 to 100 characters, unique." required:"true" example:"production"`
	Tier              uint32 `json:"tier" doc:"Number of the tier, one of those that GET /api/v1/tiers lists." required:"true" example:"21"`
	StorageSize       uint64 `json:"storage_size" doc:"Disk space in units, at least 10 GB. It can only grow. 0 or left out: as much as the disk has." example:"20"`
	StorageSizeUnit   string `json:"storage_size_unit" doc:"GB, or TB, which is 1024 GB. Needed with storage_size." enum:"GB,TB" example:"GB"`
	Deduplication     uint32 `json:"deduplication" doc:"One sample per series is kept in each interval of so many units, up to one day. 0 or left out: all are kept." example:"30"`
	DeduplicationUnit string `json:"deduplication_unit" doc:"s is seconds, ms is milliseconds. Needed with deduplication." enum:"s,ms" example:"s"`
	Retention         uint32 `json:"retention" doc:"How long data is kept, in units. Left out with its unit: 30 days." example:"6"`
	RetentionUnit     string `json:"retention_unit" doc:"d is days, m is months." enum:"d,m" example:"m"`
	MaintenanceWindow string `json:"maintenance_window" doc:"When it may be updated. Left out: at any time." enum:"Sat-Sun 3-4am,Mon-Fri 4-5am" example:"Sat-Sun 3-4am"`

	MaxConcurrentRequests int `json:"max_concurrent_requests" doc:"Requests that one access token may have running. 0 or left out: the tier's; in an update: as it is." example:"600"`
}

// parse gives the settings for a deployment as it is now.
func (s deploymentSettings) parse(current gatehouse.Deployment) (gatehouse.Settings, error) {
	tier, err := tierName(s.Tier, current)
	if err != nil {
		return gatehouse.Settings{}, err
	}
	storage, err := storageGB(s.StorageSize, s.StorageSizeUnit)
	if err != nil {
		return gatehouse.Settings{}, err
	}
	return gatehouse.Settings{
		Name: s.Name, Tier: tier, StorageGB: storage,
		Retention:         gatehouse.Retention{Value: s.Retention, Unit: s.RetentionUnit},
		Deduplication:     gatehouse.Deduplication{Value: s.Deduplication, Unit: s.DeduplicationUnit},
		MaintenanceWindow: s.MaintenanceWindow, MaxConcurrentRequests: s.MaxConcurrentRequests,
	}, nil
}

const gbPerTB = 1024

// storageGB gives the size in GB. Terraform's provider sends -1 as 18446744073709551615, so TB are not multiplied unseen.
func storageGB(size uint64, unit string) (uint64, error) {
	switch unit {
	case "GB":
		return size, nil
	case "TB":
		if size > math.MaxUint64/gbPerTB {
			size = math.MaxUint64 / gbPerTB // far out of range in any case, which control says
		}
		return size * gbPerTB, nil
	case "":
		if size == 0 {
			return 0, nil
		}
	}
	return 0, gatehouse.InvalidField("storage_size_unit", "the unit storage_size_unit is missing or unknown; choose GB or TB")
}

type newDeployment struct {
	deploymentSettings
	Type     string `json:"type" doc:"Shape of the deployment. A cluster needs its three programs on the server." required:"true" enum:"single_node,cluster" example:"single_node"`
	Provider string `json:"provider" doc:"Provider: local, or aws, which is another name for it. Left out: local." enum:"local,aws" example:"local"`
	Region   string `json:"region" doc:"Region of the provider. Left out: local." enum:"local" example:"local"`

	Flags deploymentFlags `json:"flags" doc:"Further command-line flags."`
}

func (a *api) createDeployment(c call[newDeployment]) (deployment, error) {
	s, err := c.in.parse(gatehouse.Deployment{Type: gatehouse.DeploymentType(c.in.Type), Managed: true})
	if err != nil {
		return deployment{}, err
	}
	d, err := a.Control.CreateDeployment(c.ctx, c.actor, gatehouse.NewDeployment{
		Name: s.Name, Type: gatehouse.DeploymentType(c.in.Type), Tier: s.Tier, Retention: s.Retention, StorageGB: s.StorageGB,
		Deduplication: s.Deduplication, MaintenanceWindow: s.MaintenanceWindow, Provider: c.in.Provider, Region: c.in.Region,
		MaxConcurrentRequests: s.MaxConcurrentRequests, Flags: gatehouse.Flags(c.in.Flags),
	})
	if err != nil {
		return deployment{}, err
	}
	return a.deploymentOf(d), nil
}

type deploymentFlags struct {
	Single  []string `json:"single_flags" doc:"Flags of a single node."`
	Select  []string `json:"select_flags" doc:"Flags of vmselect."`
	Storage []string `json:"storage_flags" doc:"Flags of vmstorage."`
	Insert  []string `json:"insert_flags" doc:"Flags of vminsert."`
}

type deploymentUpdate struct {
	deploymentSettings
	Flags deploymentFlags `json:"flags" doc:"Further command-line flags. What is left out is removed."`
}

func (a *api) updateDeployment(c call[deploymentUpdate]) (deployment, error) {
	d, err := c.deployment(a)
	if err != nil {
		return deployment{}, err
	}
	s, err := c.in.parse(d)
	if err != nil {
		return deployment{}, err
	}
	s.Flags = gatehouse.Flags(c.in.Flags)
	d, err = a.Control.UpdateDeployment(c.ctx, c.actor, d.ID, s)
	if err != nil {
		return deployment{}, err
	}
	return a.deploymentOf(d), nil
}

func (a *api) deleteDeployment(c call[none]) (none, error) {
	d, err := c.deployment(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.DeleteDeployment(c.ctx, c.actor, d.ID)
}

type upstream struct {
	Username string `json:"username" doc:"User name that VictoriaMetrics asks for."`
	Password string `json:"password" doc:"Password that VictoriaMetrics asks for."`
	Bearer   string `json:"bearer" doc:"Bearer token that VictoriaMetrics asks for, instead of a user name."`
	CA       string `json:"ca" doc:"PEM: the authority that signed its certificate, instead of the system's."`
	Cert     string `json:"cert" doc:"PEM: the client certificate that it asks for."`
	Key      string `json:"key" doc:"PEM: the private key of the client certificate."`
}

type connectedDeployment struct {
	Name                  string   `json:"name" doc:"Name of the deployment, 1 to 100 characters, unique." required:"true" example:"existing"`
	Type                  string   `json:"type" doc:"Shape of the deployment." required:"true" enum:"single_node,cluster" example:"cluster"`
	URLs                  []string `json:"urls" doc:"Of a single node: where it answers."`
	InsertURLs            []string `json:"insert_urls" doc:"Of a cluster: where vminsert answers." example:"http://10.0.0.5:8480"`
	SelectURLs            []string `json:"select_urls" doc:"Of a cluster: where vmselect answers." example:"http://10.0.0.6:8481"`
	MaxConcurrentRequests int      `json:"max_concurrent_requests" doc:"Requests that one access token may have running. 0 or left out: 600." example:"600"`
	Upstream              upstream `json:"upstream" doc:"How Gatehouse proves itself to VictoriaMetrics. No answer ever holds it."`
}

func (a *api) connectDeployment(c call[connectedDeployment]) (deployment, error) {
	d, err := a.Control.ConnectDeployment(c.ctx, c.actor, gatehouse.NewDeployment{
		Name: c.in.Name, Type: gatehouse.DeploymentType(c.in.Type), URLs: c.in.URLs, InsertURLs: c.in.InsertURLs, SelectURLs: c.in.SelectURLs,
		MaxConcurrentRequests: c.in.MaxConcurrentRequests, Upstream: gatehouse.Upstream(c.in.Upstream),
	})
	if err != nil {
		return deployment{}, err
	}
	return a.deploymentOf(d), nil
}

// canonicalID gives an ID as the store has it. The client takes UUIDs in any case.
func canonicalID(id string) (string, bool) {
	if len(id) != 36 || uuid.Validate(id) != nil { // without braces and the like
		return "", false
	}
	return strings.ToLower(id), true
}
