package main

import (
	"context"
	"errors"
	"reflect"

	"gatehouse/internal/control"
	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
)

// settingFlags are what create and set say about a deployment.
type settingFlags struct {
	Tier                  *string  `help:"Tier, such as s.starter.a; unlimited has no limits." placeholder:"NAME"`
	Retention             *string  `help:"How long data is kept: days like 30d or months like 6m." placeholder:"30d"`
	Storage               *string  `help:"Disk space: 20GB or 1TB, which is 1024 GB. It can only grow." placeholder:"20GB"`
	Deduplication         *string  `help:"Keep one sample per series in each interval, such as 30s or 500ms; 0s keeps all." placeholder:"30s"`
	MaintenanceWindow     *string  `help:"When it may be updated: 'Sat-Sun 3-4am', 'Mon-Fri 4-5am' or any." placeholder:"WINDOW"`
	Flag                  []string `help:"Further flag of a single node, such as --flag=-search.maxQueueDuration=20s; repeat for several. docs/tiers.md lists them." placeholder:"-NAME=VALUE" sep:"none"`
	InsertFlag            []string `help:"Further flag of a cluster's vminsert." placeholder:"-NAME=VALUE" sep:"none"`
	SelectFlag            []string `help:"Further flag of a cluster's vmselect." placeholder:"-NAME=VALUE" sep:"none"`
	StorageFlag           []string `help:"Further flag of a cluster's vmstorage." placeholder:"-NAME=VALUE" sep:"none"`
	MaxConcurrentRequests *int     `help:"Concurrent requests per token. Unless given: the tier's, or 600." placeholder:"N"`
	NotifierURL           *string  `help:"Alertmanager that gets the alerts of the deployment's rules; empty: none does." name:"notifier-url" placeholder:"URL"`
}

// anyWindow stands for no maintenance window, as on screen.
const anyWindow = "any"

// apply changes in s what was given.
func (k settingFlags) apply(s *gatehouse.Settings) (err error) {
	if k.Tier != nil {
		if s.Tier = *k.Tier; s.Tier == gatehouse.Unlimited.Name {
			s.Tier = "" // of whatever type
		}
	}
	if k.Retention != nil {
		if s.Retention, err = gatehouse.ParseRetention(*k.Retention); err != nil {
			return err
		}
	}
	if k.Storage != nil {
		if s.StorageGB, err = gatehouse.ParseStorage(*k.Storage); err != nil {
			return err
		}
	}
	if k.Deduplication != nil {
		if s.Deduplication, err = gatehouse.ParseDeduplication(*k.Deduplication); err != nil {
			return err
		}
	}
	if k.MaintenanceWindow != nil {
		if s.MaintenanceWindow = *k.MaintenanceWindow; s.MaintenanceWindow == anyWindow {
			s.MaintenanceWindow = ""
		}
	}
	if k.MaxConcurrentRequests != nil {
		if s.MaxConcurrentRequests = *k.MaxConcurrentRequests; s.MaxConcurrentRequests == 0 {
			return gatehouse.InvalidField("max_concurrent_requests", "the limit of concurrent requests is 0; write a number from 1 on")
		}
	}
	for _, one := range []struct {
		given []string
		flags *[]string
	}{{k.Flag, &s.Flags.Single}, {k.InsertFlag, &s.Flags.Insert}, {k.SelectFlag, &s.Flags.Select}, {k.StorageFlag, &s.Flags.Storage}} {
		if len(one.given) > 0 {
			*one.flags = one.given
		}
	}
	return nil
}

// checkNotifier refuses a bad URL before anything else is changed.
func (k settingFlags) checkNotifier() error {
	if k.NotifierURL == nil {
		return nil
	}
	_, err := gatehouse.ParseNotifier(*k.NotifierURL)
	return err
}

// setNotifier comes after the other changes. It is a change, and a record, of its own: where it fails, done says what stays done.
func (k settingFlags) setNotifier(ctx context.Context, ctl *control.Control, actor gatehouse.Actor, d *gatehouse.Deployment, done string) error {
	if k.NotifierURL == nil {
		return nil
	}
	err := ctl.SetNotifier(ctx, actor, d.ID, *k.NotifierURL)
	if err == nil {
		*d, err = ctl.Deployment(ctx, actor, d.ID)
	}
	if err != nil && done != "" {
		return gatehouse.Prefixed(done+", but the notifier was not set: ", err)
	}
	return err
}

type deploymentCreate struct {
	Name     string `arg:"" help:"Name, 1 to 100 characters."`
	Type     string `help:"Type: single_node or cluster." enum:"single_node,cluster" default:"single_node"`
	Provider string `help:"Provider: local, or aws, which is another name for it." default:"local"`
	Region   string `help:"Region of the provider." default:"local"`
	settingFlags
	EngineDir string `help:"Directory of the VictoriaMetrics programs, as serve has it: a cluster is refused where its programs are missing." placeholder:"DIR"`
	JSON      bool   `help:"Print JSON." name:"json"`
}

func (k *deploymentCreate) Run(ctx context.Context, c *commands, s *streams) error {
	if t := gatehouse.DeploymentType(k.Type); t == gatehouse.Cluster {
		if err := engine.CanRun(k.EngineDir, t); err != nil {
			return err
		}
	}
	settings := gatehouse.Settings{Retention: gatehouse.DefaultRetention}
	if err := k.apply(&settings); err != nil {
		return err
	}
	if err := k.checkNotifier(); err != nil {
		return err
	}
	return c.withNewData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		d, err := ctl.CreateDeployment(ctx, actor, gatehouse.NewDeployment{
			Name: k.Name, Type: gatehouse.DeploymentType(k.Type), Provider: k.Provider, Region: k.Region,
			Tier: settings.Tier, Retention: settings.Retention, StorageGB: settings.StorageGB, Deduplication: settings.Deduplication,
			MaintenanceWindow: settings.MaintenanceWindow, Flags: settings.Flags, MaxConcurrentRequests: settings.MaxConcurrentRequests,
		})
		if err == nil {
			err = k.setNotifier(ctx, ctl, actor, &d, "the deployment was created")
		}
		return s.printCreated(d, k.JSON, err)
	})
}

type deploymentSet struct {
	Deployment string  `arg:"" help:"Name or ID."`
	Rename     *string `help:"New name." placeholder:"NAME"`
	settingFlags
	NoFlags bool `help:"Remove all further flags."`
	JSON    bool `help:"Print JSON." name:"json"`
}

func (k *deploymentSet) Run(ctx context.Context, c *commands, s *streams) error {
	given := *k
	given.Deployment, given.JSON = "", false
	if reflect.DeepEqual(given, deploymentSet{}) {
		return usageError{errors.New("give at least one flag that says what to change, such as --rename, --tier or --retention")}
	}
	if err := k.checkNotifier(); err != nil {
		return err
	}
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		var d gatehouse.Deployment
		var done string
		var err error
		if given.NotifierURL = nil; reflect.DeepEqual(given, deploymentSet{}) {
			d, err = ctl.Deployment(ctx, actor, k.Deployment)
		} else {
			d, err = ctl.ChangeDeployment(ctx, actor, k.Deployment, k.change)
			done = "the other settings were changed"
		}
		if err == nil {
			err = k.setNotifier(ctx, ctl, actor, &d, done)
		}
		return s.printCreated(d, k.JSON, err)
	})
}

func (k *deploymentSet) change(s *gatehouse.Settings) error {
	if k.Rename != nil {
		s.Name = *k.Rename
	}
	if k.NoFlags {
		s.Flags = gatehouse.Flags{}
	}
	return k.apply(s)
}
