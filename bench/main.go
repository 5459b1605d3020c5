// Command bench measures the access endpoint beside vmauth, nginx and HAProxy on this machine: one trivial backend, the same tokens
// and loads for each, in turn. docs/performance.md says how to read what it prints.
//
// Wall-clock numbers depend on what else the machine does; CPU time per request and the ratios depend on it much less.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is what all measurements share.
type bench struct {
	out       io.Writer
	dir       string // for scratch files; gone at the end
	gatehouse string // program
	vmauth    string // program
	peers     string // names
	only      *regexp.Regexp
	profiles  string // folder for CPU profiles of Gatehouse; empty: none
	short     bool
	rounds    int
	duration  time.Duration // of a round
	backend   *process
	proxies   []proxy        // Gatehouse first
	fleets    map[int]*fleet // by number of tokens
}

// measurement is one part of the run.
type measurement struct {
	names []string // it runs when -only matches one of them
	run   func(ctx context.Context) error
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == backendArgument {
		fmt.Fprintln(os.Stderr, "bench backend:", serveBackend())
		os.Exit(1)
	}
	b := &bench{out: os.Stdout, fleets: map[int]*fleet{}}
	flag.BoolVar(&b.short, "short", false, "one short round of each load, and no million tokens")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds of each load; the tables show their medians")
	flag.DurationVar(&b.duration, "duration", 2500*time.Millisecond, "duration of a round")
	flag.StringVar(&b.gatehouse, "gatehouse", "bin/gatehouse", "the gatehouse program")
	flag.StringVar(&b.vmauth, "vmauth", "bin/vmauth", "the vmauth program")
	flag.StringVar(&b.peers, "peers", "vmauth,nginx,haproxy", "what to compare Gatehouse with")
	flag.StringVar(&b.profiles, "profiles", "", "folder in which to save a CPU profile of Gatehouse for each load")
	only := flag.String("only", "", "regular expression: run only the measurements whose name it matches, see -list")
	list := flag.Bool("list", false, "list the names of the measurements")
	flag.Parse()
	if b.short {
		b.rounds, b.duration = 1, 700*time.Millisecond
	}
	var err error
	if b.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -only is not a regular expression:", err)
		os.Exit(2)
	}
	if *list {
		for _, m := range b.measurements() {
			fmt.Println(strings.Join(m.names, "\n"))
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err = b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// tokenCounts are those at which the proxies are compared.
var tokenCounts = []int{1_000, 100_000}

func (b *bench) measurements() []measurement {
	var all []measurement
	for _, tokens := range tokenCounts {
		m := measurement{run: func(ctx context.Context) error { return b.compare(ctx, tokens) }}
		for _, l := range loads {
			m.names = append(m.names, compareName(tokens, l))
		}
		all = append(all, m)
	}
	most := 1_000_000
	if b.short {
		most = 100_000
	}
	return append(all,
		measurement{[]string{"start"}, func(ctx context.Context) error { return b.start(ctx, most) }},
		measurement{[]string{"change"}, func(ctx context.Context) error { return b.change(ctx, most) }},
		measurement{[]string{"memory"}, b.memory},
	)
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.proxies, err = b.findProxies(); err != nil {
		return err
	}
	if b.backend, err = startBackend(ctx); err != nil {
		return err
	}
	defer b.backend.stop()
	fmt.Fprintf(b.out, "%d CPUs (%s), %s; rounds of %v, %d of each, medians of them\n", runtime.NumCPU(), cpuModel(), runtime.Version(), b.duration, b.rounds)
	begun := time.Now()
	for _, m := range b.measurements() {
		if !slices.ContainsFunc(m.names, b.only.MatchString) {
			continue
		}
		if err := m.run(ctx); err != nil {
			return cmp.Or(ctx.Err(), err) // interrupted, the rest is its consequence
		}
	}
	fmt.Fprintf(b.out, "\nThe run took %v.\n", time.Since(begun).Round(time.Second))
	return nil
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(info), "model name\t: ")
	model, _, _ := strings.Cut(rest, "\n")
	return model
}
