package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type deploymentCommand struct {
	Create  deploymentCreate  `cmd:"" help:"Create a deployment that Gatehouse runs itself."`
	Connect deploymentConnect `cmd:"" help:"Connect a VictoriaMetrics that runs elsewhere."`
	List    deploymentList    `cmd:"" help:"List all deployments."`
	Show    deploymentShow    `cmd:"" help:"Show one deployment."`
	Set     deploymentSet     `cmd:"" help:"Change a deployment: name, limits, notifier, and the settings of a managed one."`
	Stop    deploymentStop    `cmd:"" help:"Stop the engine of a managed deployment. Data and tokens stay."`
	Start   deploymentStart   `cmd:"" help:"Start a stopped deployment."`
	Delete  deploymentDelete  `cmd:"" help:"Delete a deployment and its tokens. A managed one goes to the trash with its data."`
	Trash   deploymentTrash   `cmd:"" help:"List the deployments in the trash."`
	Restore deploymentRestore `cmd:"" help:"Take a deployment out of the trash, with its data and a new default access token."`
	Free    deploymentFree    `cmd:"" help:"Free the data of a deployment in the trash now, for good."`
}

type deploymentConnect struct {
	Name                  string   `arg:"" help:"Name, 1 to 100 characters."`
	Type                  string   `help:"Type: single_node or cluster." required:"" enum:"single_node,cluster" placeholder:"single_node|cluster"`
	URL                   []string `help:"URL of a single node; repeat for replicas." name:"url" placeholder:"URL" sep:"none"`
	InsertURL             []string `help:"URL of vminsert; repeat for several." name:"insert-url" placeholder:"URL" sep:"none"`
	SelectURL             []string `help:"URL of vmselect; repeat for several." name:"select-url" placeholder:"URL" sep:"none"`
	MaxConcurrentRequests int      `help:"Concurrent requests per token. Default: 600." placeholder:"N"`
	JSON                  bool     `help:"Print JSON." name:"json"`

	Upstream upstreamFlags `embed:"" prefix:"upstream-"`
}

// upstreamFlags are files, since every user of the machine can read the arguments of a command.
type upstreamFlags struct {
	Username     string `help:"User name that VictoriaMetrics asks for." placeholder:"NAME"`
	PasswordFile string `help:"File with the password that VictoriaMetrics asks for." placeholder:"FILE"`
	BearerFile   string `help:"File with the bearer token that VictoriaMetrics asks for." placeholder:"FILE"`
	CAFile       string `help:"PEM file of the authority that signed its certificate." name:"ca-file" placeholder:"FILE"`
	CertFile     string `help:"PEM file of the client certificate that it asks for." placeholder:"FILE"`
	KeyFile      string `help:"PEM file of the client certificate's private key." placeholder:"FILE"`
}

func (k upstreamFlags) read() (gatehouse.Upstream, error) {
	u := gatehouse.Upstream{Username: k.Username}
	for _, one := range []struct {
		path   string
		target *string
		trim   bool
	}{{k.PasswordFile, &u.Password, true}, {k.BearerFile, &u.Bearer, true}, {k.CAFile, &u.CA, false}, {k.CertFile, &u.Cert, false}, {k.KeyFile, &u.Key, false}} {
		if one.path == "" {
			continue
		}
		text, err := os.ReadFile(one.path)
		if err != nil {
			return u, gatehouse.Errorf(gatehouse.Invalid, "the file %s cannot be read; give one that exists and is readable", one.path).WithCause(err)
		}
		if *one.target = string(text); one.trim {
			*one.target = strings.TrimRight(*one.target, "\r\n")
		}
		if *one.target == "" {
			return u, gatehouse.Errorf(gatehouse.Invalid, "the file %s is empty; put the value into it", one.path)
		}
	}
	return u, nil
}

func (k *deploymentConnect) Run(ctx context.Context, c *commands, s *streams) error {
	upstream, err := k.Upstream.read()
	if err != nil {
		return err
	}
	return c.withNewData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		d, err := ctl.ConnectDeployment(ctx, actor, gatehouse.NewDeployment{
			Name: k.Name, Type: gatehouse.DeploymentType(k.Type), URLs: k.URL, InsertURLs: k.InsertURL, SelectURLs: k.SelectURL,
			MaxConcurrentRequests: k.MaxConcurrentRequests, Upstream: upstream,
		})
		return s.printCreated(d, k.JSON, err)
	})
}

func (s *streams) printCreated(d gatehouse.Deployment, asJSON bool, err error) error {
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(s.out, deploymentOut(d))
	}
	_, err = fmt.Fprintln(s.out, d.ID)
	return err
}

type deploymentList struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (k *deploymentList) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		all, err := ctl.Deployments(ctx, actor)
		if err != nil {
			return err
		}
		if k.JSON {
			out := make([]deploymentJSON, len(all))
			for i, d := range all {
				out[i] = deploymentOut(d)
			}
			return printJSON(s.out, out)
		}
		rows := [][]string{{"NAME", "TYPE", "STATUS", "VERSION", "CREATED", "ID"}}
		for _, d := range all {
			rows = append(rows, []string{d.Name, d.Type.Label(), d.State.Status.Label(), orDash(d.State.Version), timeText(d.CreatedAt), d.ID})
		}
		return printTable(s.out, rows)
	})
}

type deploymentShow struct {
	Name string `arg:"" help:"Name or ID."`
	JSON bool   `help:"Print JSON." name:"json"`
}

func (k *deploymentShow) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		d, err := ctl.Deployment(ctx, actor, k.Name)
		if err != nil {
			return err
		}
		if k.JSON {
			return printJSON(s.out, deploymentOut(d))
		}
		return printTable(s.out, deploymentRows(d))
	})
}

type deploymentDelete struct {
	Name string `arg:"" help:"Name or ID."`
}

func (k *deploymentDelete) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.DeleteDeployment(ctx, actor, k.Name)
	})
}
