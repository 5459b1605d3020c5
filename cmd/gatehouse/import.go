package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/vmauth"
)

type importCommand struct {
	VMAuth importVMAuth `cmd:"" name:"vmauth" help:"Connect the backends of a vmauth configuration, and let its users in with their secrets."`
}

type importVMAuth struct {
	File   string `arg:"" help:"File that vmauth reads with -auth.config." type:"path"`
	DryRun bool   `help:"Only say what would come of it."`
	JSON   bool   `help:"Print JSON." name:"json"`
}

// Run imports all users that can be imported, in one transaction, and says what became of each.
func (k *importVMAuth) Run(ctx context.Context, c *commands, s *streams) error {
	text, err := os.ReadFile(k.File)
	if err != nil {
		return gatehouse.Errorf(gatehouse.Invalid, "the file %s cannot be read; give the one that vmauth reads with -auth.config", k.File).WithCause(err)
	}
	plan, err := vmauth.Read(text)
	if err != nil {
		return err
	}
	with, act := c.withNewData, (*control.Control).Import
	if k.DryRun {
		with, act = c.withDataOrNone, (*control.Control).PreviewImport
	}
	return with(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		imported, err := act(ctl, ctx, actor, importPlan(plan))
		if err != nil {
			return err
		}
		report := importReportOf(plan, imported, k.DryRun)
		if k.JSON {
			err = printJSON(s.out, report)
		} else {
			err = report.print(s.out)
		}
		if err == nil && len(imported.Tokens) == 0 {
			return gatehouse.Errorf(gatehouse.Invalid, "no user of the file can be carried over; the list says why")
		}
		return err
	})
}

// withDataOrNone is withData, on an empty database where there is none. Nothing is left behind.
func (c *commands) withDataOrNone(ctx context.Context, fn func(*control.Control, gatehouse.Actor) error) (err error) {
	if c.requireData() == nil {
		return c.withControl(ctx, fn)
	}
	dir, err := os.MkdirTemp("", "gatehouse-dry-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	empty := &commands{DataDir: dir}
	return empty.withControl(ctx, fn)
}

// importPlan leaves those out who cannot be carried over.
func importPlan(p vmauth.Plan) control.ImportPlan {
	plan := control.ImportPlan{Deployments: p.Deployments}
	for _, u := range p.Users {
		if u.Problem == "" {
			plan.Tokens = append(plan.Tokens, control.ImportToken{Deployment: u.Deployment, Name: u.Name, Access: u.Access, Tenant: u.Tenant, Secret: u.Secret})
		}
	}
	return plan
}

// importReport says what a configuration has become. It holds no secret.
type importReport struct {
	DryRun      bool               `json:"dry_run"`
	Deployments []importDeployment `json:"deployments"`
	Users       []importUser       `json:"users"`
	LeftOut     []string           `json:"left_out"` // what concerns no single user
}

type importDeployment struct {
	ID                    string   `json:"id,omitempty"` // not in a dry run
	Name                  string   `json:"name"`
	Type                  string   `json:"type"`
	URLs                  []string `json:"urls,omitempty"`
	InsertURLs            []string `json:"insert_urls,omitempty"`
	SelectURLs            []string `json:"select_urls,omitempty"`
	MaxConcurrentRequests int      `json:"max_concurrent_requests"`
	Existed               bool     `json:"existed"`
}

type importUser struct {
	Name       string   `json:"name"`
	Outcome    string   `json:"outcome"` // imported, existed or left_out
	Problem    string   `json:"problem,omitempty"`
	Deployment string   `json:"deployment,omitempty"`
	TokenID    string   `json:"token_id,omitempty"` // not in a dry run
	Access     string   `json:"access,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
	Weak       bool     `json:"weak_secret,omitempty"` // fewer than 16 characters
	Notes      []string `json:"notes,omitempty"`
	Lost       []string `json:"no_longer_passed_on,omitempty"`
	Gained     []string `json:"also_passed_on,omitempty"`
}

func importReportOf(p vmauth.Plan, done control.Imported, dryRun bool) importReport {
	r := importReport{DryRun: dryRun, LeftOut: p.LeftOut}
	for _, d := range done.Deployments {
		one := importDeployment{ID: d.ID, Name: d.Name, Type: string(d.Type), URLs: d.URLs, InsertURLs: d.InsertURLs, SelectURLs: d.SelectURLs,
			MaxConcurrentRequests: d.MaxConcurrentRequests, Existed: d.Existed}
		if dryRun && !d.Existed {
			one.ID = ""
		}
		r.Deployments = append(r.Deployments, one)
	}
	next := 0
	for _, u := range p.Users {
		if u.Problem != "" {
			r.Users = append(r.Users, importUser{Name: u.Name, Outcome: "left_out", Problem: u.Problem})
			continue
		}
		t := done.Tokens[next]
		next++
		one := importUser{Name: t.Name, Outcome: "imported", Deployment: r.Deployments[u.Deployment].Name, TokenID: t.ID,
			Access: string(t.Access), Weak: u.Weak, Notes: u.Notes, Lost: u.Lost, Gained: u.Gained}
		if t.Tenant != nil {
			one.Tenant = t.Tenant.String()
		}
		if !t.Existed && t.Name != u.Name && r.Deployments[u.Deployment].Existed {
			one.Notes = append(slices.Clone(u.Notes), "a token of this user's name was there already, and still lets its own secret in; when the user's password or token was changed in the file, revoke the older one")
		}
		if t.Existed {
			one.Outcome = "existed"
		} else if dryRun {
			one.TokenID = ""
		}
		r.Users = append(r.Users, one)
	}
	return r
}

// print writes the report for people. What is true of many users stands there once.
func (r importReport) print(w io.Writer) error {
	rows := [][]string{{"DEPLOYMENT", "TYPE", "URLS", "STATE"}}
	for _, d := range r.Deployments {
		state := "new"
		if d.Existed {
			state = "existed"
		}
		rows = append(rows, []string{d.Name, gatehouse.DeploymentType(d.Type).Label(), strings.Join(slices.Concat(d.URLs, d.InsertURLs, d.SelectURLs), " "), state})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows = [][]string{{"USER", "BECOMES", "TENANT", "DEPLOYMENT", "STATE"}}
	for _, u := range r.Users {
		if u.Problem != "" {
			rows = append(rows, []string{u.Name, "-", "-", "-", "left out"})
			continue
		}
		tenant := u.Tenant
		if tenant == "" {
			tenant = "any"
		}
		rows = append(rows, []string{u.Name, gatehouse.Access(u.Access).Label(), tenant, u.Deployment, map[string]string{"imported": "new", "existed": "existed"}[u.Outcome]})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	r.printDifferences(w)
	return r.printSummary(w)
}

func (r importReport) printDifferences(w io.Writer) {
	var problems, weak, notes, lost, gained grouped
	for _, one := range r.LeftOut {
		problems.add(one, "")
	}
	for _, u := range r.Users {
		if u.Problem != "" {
			problems.add(u.Problem, u.Name)
		}
		if u.Weak {
			weak.add("the secret has fewer than 16 characters and can be guessed; give its clients a new token soon", u.Name)
		}
		for _, note := range u.Notes {
			notes.add(note, u.Name)
		}
		if len(u.Lost) > 0 {
			lost.add(somePaths(u.Lost), u.Name)
		}
		if len(u.Gained) > 0 {
			gained.add(somePaths(u.Gained), u.Name)
		}
	}
	problems.print(w, "Left out")
	weak.print(w, "Weak secrets")
	notes.print(w, "Different")
	lost.print(w, "Paths that vmauth passes on and Gatehouse does not")
	gained.print(w, "Paths that Gatehouse passes on and vmauth does not, as a token is for reading or writing by any protocol")
}

// somePaths shows the first of many.
func somePaths(paths []string) string {
	const most = 8
	if len(paths) <= most {
		return strings.Join(paths, " ")
	}
	return fmt.Sprintf("%s and %d more (all with --json)", strings.Join(paths[:most], " "), len(paths)-most)
}

func (r importReport) printSummary(w io.Writer) error {
	counts := map[string]int{}
	for _, u := range r.Users {
		counts[u.Outcome]++
	}
	done, end := "Imported", ""
	if r.DryRun {
		done, end = "To be imported", " Nothing was changed."
	}
	_, err := fmt.Fprintf(w, "\nUsers in the file: %d. Left out: %d. Imported before: %d. %s: %d.%s\n", len(r.Users), counts["left_out"], counts["existed"], done, counts["imported"], end)
	return err
}

// grouped are texts with the names of those whom they concern, in the order in which they came.
type grouped struct {
	texts []string
	names map[string][]string
}

func (g *grouped) add(text, name string) {
	if g.names == nil {
		g.names = map[string][]string{}
	}
	if _, known := g.names[text]; !known {
		g.texts = append(g.texts, text)
	}
	g.names[text] = append(g.names[text], name)
}

func (g *grouped) print(w io.Writer, title string) {
	if len(g.texts) > 0 {
		fmt.Fprintf(w, "\n%s:\n", title)
	}
	for _, text := range g.texts {
		names := g.names[text]
		const most = 3
		shown := strings.Join(names[:min(most, len(names))], ", ")
		if more := len(names) - most; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		if shown != "" {
			shown += ": "
		}
		fmt.Fprintf(w, "  %s%s\n", shown, text)
	}
}
