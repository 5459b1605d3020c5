// Command gatehouse hands out access tokens for VictoriaMetrics. `gatehouse serve` runs the console and the access endpoint; the
// other commands work on the data directory, whether a server runs on it or not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"gatehouse/internal/gatehouse"
)

// Exit codes, on which scripts rely.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed; one line on stderr says why and what to do
	exitUsage  = 2 // wrong usage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(report(os.Stderr, err))
}

// commands is the command line. Flags that say where a server is and how it runs have an environment variable: --data-dir is
// GATEHOUSE_DATA_DIR.
type commands struct {
	DataDir string `help:"Directory of the database, the sealing key and the engines' data." default:"data" placeholder:"DIR"`
	Keyset  string `help:"File of the sealing key. Default: keyset.json in the data directory." placeholder:"FILE"`
	Tiers   string `help:"YAML file that changes the tiers of managed deployments or adds some; docs/tiers.md describes it." placeholder:"FILE"`

	Serve      serveCommand      `cmd:"" help:"Run the console and the access endpoint."`
	Deployment deploymentCommand `cmd:"" help:"Create, connect, list, show and delete deployments."`
	Token      tokenCommand      `cmd:"" help:"Create, list, reveal and revoke access tokens."`
	APIKey     apiKeyCommand     `cmd:"" name:"apikey" help:"Create, list, reveal and revoke API keys."`
	User       userCommand       `cmd:"" help:"Invite, create, list, disable and delete users, and change roles and passwords."`
	Audit      auditCommand      `cmd:"" help:"List, export and verify the audit log."`
	Import     importCommand     `cmd:"" help:"Carry users and backends over from vmauth."`
	Backup     backupCommand     `cmd:"" help:"Write database and sealing key to a file, also while a server runs."`
	Rekey      rekeyCommand      `cmd:"" help:"Make a new sealing key and seal all secrets with it, also while a server runs."`
	Restore    restoreCommand    `cmd:"" help:"Fill an empty data directory from a backup."`
	Doctor     doctorCommand     `cmd:"" help:"Check database, keyset, engine, ports and deployments, and say what to do."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// streams are the standard streams of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run parses args and runs the command. A test can run the whole program with it.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	var c commands
	exited := errors.New("help printed")
	parser, err := kong.New(&c,
		kong.Name("gatehouse"),
		kong.Description("Hand out access tokens for VictoriaMetrics: a console and an access endpoint in one binary."),
		kong.DefaultEnvars("GATEHOUSE"),
		kong.PostBuild(keepServerEnvars),
		kong.Writers(out, errOut),
		kong.Exit(func(int) { panic(exited) }),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		parser.Stdout = errOut
		if _, err := parse(parser, []string{"--help"}, exited); err != nil {
			return err
		}
		return usageError{errors.New("a command is missing")}
	}
	command, err := parse(parser, args, exited)
	if err != nil || command == nil {
		return err
	}
	if err := c.useTiers(); err != nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return nameFlag(command, command.Run(&c, &streams{in: in, out: out, err: errOut}))
}

// keepServerEnvars takes their environment variables away from the flags of commands that look at things or change them. One that was
// set for something else, or long ago, would silently choose what a command acts on, or what it makes of it. See docs/adr/0020.
func keepServerEnvars(k *kong.Kong) error {
	for _, command := range k.Model.Children {
		if command.Name == "serve" || command.Name == "doctor" {
			continue
		}
		err := kong.Visit(command, func(node kong.Visitable, next kong.Next) error {
			if flag, ok := node.(*kong.Flag); ok && flag.Name != "engine-dir" { // which says how the server was started
				flag.Envs, flag.Tag.Envs = nil, nil
			}
			return next(nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// flagNames are the flags of fields that have another name in control.
var flagNames = map[string]string{"name": "rename", "storage_size": "storage", "deduplication_unit": "deduplication", "flags": "flag",
	"storage_flags": "storage-flag", "select_flags": "select-flag", "insert_flags": "insert-flag"}

// nameFlag puts the flag in front of an error about what was given with it.
func nameFlag(command *kong.Context, err error) error {
	field, message := gatehouse.ErrorField(err), gatehouse.ErrorMessage(err)
	for _, name := range []string{strings.ReplaceAll(field, "_", "-"), flagNames[field]} {
		for _, flag := range command.Flags() {
			if flag.Name == name && !strings.Contains(message, "--"+name) {
				return gatehouse.Prefixed("--"+name+": ", err)
			}
		}
	}
	return err
}

// parse gives no command when kong has printed its help, after which it wants to exit.
func parse(parser *kong.Kong, args []string, exited error) (command *kong.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != exited {
				panic(p)
			}
			command, err = nil, nil
		}
	}()
	command, err = parser.Parse(args)
	if err != nil {
		return nil, usageError{err}
	}
	return command, nil
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// report prints err as one line, and gives the exit code.
func report(w io.Writer, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(w, "gatehouse: %v; see: gatehouse --help\n", err)
		return exitUsage
	case gatehouse.ErrorCode(err) == gatehouse.Internal:
		// Whoever runs the command owns the server, and may see what a user of the console may not.
		fmt.Fprintf(w, "gatehouse: %v\n", err)
	default:
		fmt.Fprintf(w, "gatehouse: %s\n", gatehouse.ErrorMessage(err))
	}
	return exitFailed
}

type versionCommand struct{}

func (versionCommand) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, version())
	return err
}

// version is what the Go toolchain stamped into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
