package engine

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// pinned is the version with which Gatehouse is tested.
const pinned = "v1.151.0"

// executables are what a program is called when it is built from source, and in the releases of VictoriaMetrics.
func executables(p gatehouse.Program) []string {
	name := string(p)
	if p == gatehouse.SingleProgram {
		name = "victoria-metrics"
	}
	return []string{name, name + "-prod"}
}

var programNames = executables(gatehouse.SingleProgram)

// vmalertNames are those of vmalert.
var vmalertNames = []string{"vmalert", "vmalert-prod"}

// findProgram gives the path of a program, or a *gatehouse.Error that says where to put one.
func (s *Supervisor) findProgram(p gatehouse.Program) (string, error) {
	if path := s.find(executables(p)); path != "" {
		return path, nil
	}
	return "", s.missing(p)
}

// CanRun tells whether managed deployments of the type can run: nil, or a *gatehouse.Error that says what to put where.
func (s *Supervisor) CanRun(t gatehouse.DeploymentType) error {
	var missing []gatehouse.Program
	for _, p := range t.Programs() {
		if s.find(executables(p)) == "" {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return s.missing(missing...)
}

// missing says where to put programs, and where they come from.
func (s *Supervisor) missing(programs ...gatehouse.Program) error {
	where, hint := "in "+s.where(), ""
	if s.cfg.Dir == "" {
		where, hint = "beside gatehouse or in PATH", ", name the folder with --engine-dir"
	}
	if programs[0] == gatehouse.SingleProgram {
		return gatehouse.Errorf(gatehouse.Unavailable, "there is no victoria-metrics program %s; put one there%s, or connect a VictoriaMetrics that already runs", where, hint)
	}
	var names []string
	for _, p := range programs {
		names = append(names, string(p))
	}
	return gatehouse.Errorf(gatehouse.Unavailable,
		"a cluster needs vmstorage, vminsert and vmselect, and there is no %s %s; put them there (they are in %s)%s, or connect a cluster that already runs (gatehouse deployment connect --type cluster)",
		strings.Join(names, ", "), where, clusterArchive, hint)
}

// clusterArchive holds the programs of a cluster.
const clusterArchive = "https://github.com/VictoriaMetrics/VictoriaMetrics/releases/download/" + pinned + "/victoria-metrics-" + runtime.GOOS + "-" + runtime.GOARCH + "-" + pinned + "-cluster.tar.gz"

// findVmalert does the same for vmalert.
func (s *Supervisor) findVmalert() (string, error) {
	if path := s.find(vmalertNames); path != "" {
		return path, nil
	}
	return "", gatehouse.Errorf(gatehouse.Unavailable, "the rules are stored but not evaluated, as there is no vmalert program in %s; put the one of VictoriaMetrics there", s.where())
}

// where says in words where programs are looked for.
func (s *Supervisor) where() string {
	if s.cfg.Dir == "" {
		return "the folder of gatehouse or in PATH"
	}
	if dir, err := filepath.Abs(s.cfg.Dir); err == nil {
		return dir
	}
	return s.cfg.Dir
}

// find gives the path of the program with one of the names, or "".
func (s *Supervisor) find(names []string) string {
	if s.cfg.Dir != "" {
		dir, err := filepath.Abs(s.cfg.Dir)
		if err != nil {
			return ""
		}
		return programNamed(dir, names)
	}
	if self, err := os.Executable(); err == nil {
		if path := programNamed(filepath.Dir(self), names); path != "" {
			return path
		}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func programNamed(dir string, names []string) string {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// Version is that of the programs that managed deployments of the type will run when they start, or "" when there is none or it does
// not tell.
func (s *Supervisor) Version(t gatehouse.DeploymentType) string {
	path, err := s.findProgram(t.Programs()[0])
	if err != nil {
		return ""
	}
	return programVersion(context.Background(), path)
}

var versionRe = regexp.MustCompile(`v\d+\.\d+\.\d+`)

// programVersion gives the version of a victoria-metrics program, such as "v1.151.0", or "" when it does not tell. Releases print
// it; a program that `go build` made prints an empty line, but its build information names the module's version.
func programVersion(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-version")
	cmd.Env = engineEnv()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if cmd.Run() == nil {
		if v := versionRe.FindString(out.String()); v != "" {
			return v
		}
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil || !strings.HasPrefix(info.Main.Path, "github.com/VictoriaMetrics/VictoriaMetrics") {
		return ""
	}
	return versionRe.FindString(info.Main.Version)
}

// engineEnv is Gatehouse's environment without its own settings: the first admin's password may be among them.
func engineEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GATEHOUSE_") {
			env = append(env, v)
		}
	}
	return env
}
