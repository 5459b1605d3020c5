package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

type doctorCommand struct {
	ConsoleListen string `help:"Address of the console, as serve has it." default:"127.0.0.1:8420" placeholder:"ADDR"`
	AccessListen  string `help:"Address of the access endpoint, as serve has it." default:"127.0.0.1:8427" placeholder:"ADDR"`
	OpsListen     string `help:"Address of metrics and health checks, as serve has it." default:"127.0.0.1:8426" placeholder:"ADDR"`
	EngineDir     string `help:"Directory of the VictoriaMetrics programs, as serve has it." placeholder:"DIR"`
	JSON          bool   `help:"Print JSON." name:"json"`
}

// Run looks at everything that Gatehouse depends on, and says what is wrong and what to do.
func (k *doctorCommand) Run(ctx context.Context, c *commands, s *streams) error {
	d := &doctor{command: k, commands: c}
	d.examine(ctx)
	if err := d.print(s.out, k.JSON); err != nil {
		return err
	}
	if n := d.count(failed); n > 0 {
		return gatehouse.Errorf(gatehouse.Unavailable, "%d of %d checks failed; the lines FAIL say what to do", n, len(d.findings))
	}
	return nil
}

// verdict is how a check came out.
type verdict string

const (
	fine   verdict = "OK"
	warned verdict = "WARN" // it works, and should be better
	failed verdict = "FAIL" // something does not work
)

// finding is one line of the report.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Text    string  `json:"text"` // what was found, and for WARN and FAIL what to do
}

type doctor struct {
	command  *doctorCommand
	commands *commands
	findings []finding
	live     bool            // a server runs
	rulesUp  map[string]bool // of the deployments with rules, by ID, as a server that runs says
}

func (d *doctor) say(check string, v verdict, format string, args ...any) {
	d.findings = append(d.findings, finding{check, v, fmt.Sprintf(format, args...)})
}

// fail tells an error as the command line does.
func (d *doctor) fail(check string, err error) {
	text := gatehouse.ErrorMessage(err)
	if gatehouse.ErrorCode(err) == gatehouse.Internal {
		text = err.Error()
	}
	d.say(check, failed, "%s", text)
}

func (d *doctor) count(v verdict) (n int) {
	for _, f := range d.findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

func (d *doctor) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, d.findings)
	}
	var rows [][]string
	for _, f := range d.findings {
		rows = append(rows, []string{string(f.Verdict), f.Check, f.Text})
	}
	return printTable(w, rows)
}

// examine makes all checks. What needs the database is left out when that cannot be opened.
func (d *doctor) examine(ctx context.Context) {
	d.checkDataDir()
	d.checkDisk()
	d.checkKeysetFile()
	d.checkServer(ctx)
	if err := cmp.Or(d.commands.requireData(), d.commands.refuseOutdated(ctx)); err != nil {
		d.fail("database", err)
		d.checkEngine(ctx, false)
		return
	}
	store, err := sqlite.Open(ctx, d.commands.databasePath())
	if err != nil {
		d.fail("database", err)
		d.checkEngine(ctx, false)
		return
	}
	defer store.Close()
	d.checkDatabase(ctx, store)
	deployments, err := store.Deployments(ctx)
	if err != nil {
		d.fail("deployments", err)
	}
	managed := false
	for _, one := range deployments {
		managed = managed || one.Managed && one.Type == gatehouse.SingleNode
	}
	d.checkEngine(ctx, managed)
	sealer, err := d.commands.openSealer(ctx, store)
	if err != nil {
		d.fail("keyset", err)
	} else {
		d.say("keyset", fine, "it opens what is stored")
	}
	d.checkAudit(ctx, store, sealer)
	for _, one := range deployments {
		d.checkDeployment(ctx, sealer, one)
		d.checkRules(one)
	}
}

func (d *doctor) checkDataDir() {
	dir := d.commands.DataDir
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		d.say("data directory", failed, "%s cannot be looked at (%v); give the right one with --data-dir", dir, err)
	case info.Mode().Perm()&0o077 != 0:
		d.say("data directory", warned, "others than its owner may look into %s; run: chmod 700 %s", dir, dir)
	default:
		d.say("data directory", fine, "%s", dir)
	}
}

func (d *doctor) checkDisk() {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.commands.DataDir, &s); err != nil {
		return // checkDataDir has said so
	}
	free := s.Bavail * uint64(s.Bsize)
	switch text := fmt.Sprintf("%d MB free", free>>20); {
	case free < 100<<20:
		d.say("disk", failed, "%s; make room, or nothing can be stored soon", text)
	case free < 2<<30:
		d.say("disk", warned, "%s; make room in time", text)
	default:
		d.say("disk", fine, "%s", text)
	}
}

func (d *doctor) checkKeysetFile() {
	path := d.commands.keysetPath()
	if _, err := secret.LoadSealer(path); err != nil && !os.IsNotExist(err) {
		d.fail("keyset file", err)
	} else if err == nil {
		d.say("keyset file", fine, "%s, for its owner only; is there a copy elsewhere?", path)
	}
}

func (d *doctor) checkDatabase(ctx context.Context, store *sqlite.Store) {
	schema, problems, err := store.Check(ctx)
	switch {
	case err != nil:
		d.fail("database", err)
	case len(problems) > 0:
		d.say("database", failed, "SQLite finds it damaged (%s); restore a backup into an empty data directory", strings.Join(problems, "; "))
	default:
		d.say("database", fine, "whole, schema %d", schema)
	}
}

// checkAudit also tells a clock that was put back.
func (d *doctor) checkAudit(ctx context.Context, store *sqlite.Store, sealer *secret.Sealer) {
	ctl := control.New(control.Config{Store: store, Sealer: sealer, Live: d.live})
	head, records, err := ctl.VerifyAudit(ctx, commandLineActor(), gatehouse.AuditHead{})
	if err != nil {
		d.fail("audit log", err)
		return
	}
	d.say("audit log", fine, "whole, %d records; its head is %s", records, headText(head))
	last, _, err := store.Audit(ctx, gatehouse.AuditQuery{Limit: 1}, nil)
	if err == nil && len(last) > 0 && last[0].At.After(time.Now().Add(time.Second)) {
		d.say("clock", failed, "the last record of the audit log is from %s, which is to come; set the clock of this machine", timeText(last[0].At))
		return
	}
	d.say("clock", fine, "%s", timeText(time.Now()))
}

func (d *doctor) checkEngine(ctx context.Context, needed bool) {
	path, version, err := engine.FindProgram(ctx, d.command.EngineDir)
	switch {
	case err != nil && needed:
		d.fail("engine", err)
	case err != nil:
		d.say("engine", warned, "%s", gatehouse.ErrorMessage(err))
	case version == "":
		d.say("engine", warned, "%s does not tell its version; is it a VictoriaMetrics?", path)
	default:
		d.say("engine", fine, "%s %s", path, version)
	}
}

// checkServer looks whether the server answers that holds the data directory, or else whether its ports are free.
func (d *doctor) checkServer(ctx context.Context) {
	var err error
	if d.live, err = serverRuns(d.commands.DataDir); err != nil {
		d.fail("server", err)
		return
	}
	if !d.live {
		d.say("server", warned, "none runs on this data directory; start one with: gatehouse serve")
		for _, one := range []struct{ flag, addr string }{
			{"console-listen", d.command.ConsoleListen}, {"access-listen", d.command.AccessListen}, {"ops-listen", d.command.OpsListen},
		} {
			d.checkPort(one.flag, one.addr)
		}
		return
	}
	client := &http.Client{Timeout: doctorPatience}
	resp, err := get(ctx, client, "http://"+d.command.OpsListen+"/-/ready", gatehouse.Upstream{})
	switch {
	case err != nil:
		d.say("server", warned, "one runs, and does not answer at %s; give its address with --ops-listen, as it has it", d.command.OpsListen)
	case resp.StatusCode != http.StatusOK:
		d.say("server", failed, "it is not ready (%s); look at its log", resp.Status)
	default:
		d.say("server", fine, "it is ready")
		d.checkMetrics(ctx, client)
	}
}

func (d *doctor) checkPort(flag, addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		d.say("port", failed, "%s cannot be used (%v); stop the other program, or give another address with --%s", addr, err, flag)
		return
	}
	ln.Close()
	d.say("port", fine, "%s is free", addr)
}
