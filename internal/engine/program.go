package engine

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// programNames are what the program is called when it is built from source, and in the releases of VictoriaMetrics.
var programNames = []string{"victoria-metrics", "victoria-metrics-prod"}

// vmalertNames are those of vmalert.
var vmalertNames = []string{"vmalert", "vmalert-prod"}

// findProgram gives the path of the victoria-metrics program, or a *gatehouse.Error that says where to put one.
func (s *Supervisor) findProgram() (string, error) {
	if path := s.find(programNames); path != "" {
		return path, nil
	}
	if s.cfg.Dir != "" {
		return "", gatehouse.Errorf(gatehouse.Unavailable,
			"there is no victoria-metrics program in %s; put one there, or connect a VictoriaMetrics that already runs", s.cfg.Dir)
	}
	return "", gatehouse.Errorf(gatehouse.Unavailable,
		"there is no victoria-metrics program beside gatehouse or in PATH; put one there, name its folder with --engine-dir, or connect a VictoriaMetrics that already runs")
}

// findVmalert does the same for vmalert.
func (s *Supervisor) findVmalert() (string, error) {
	if path := s.find(vmalertNames); path != "" {
		return path, nil
	}
	where := s.cfg.Dir
	if where == "" {
		where = "the folder of gatehouse or in PATH"
	}
	return "", gatehouse.Errorf(gatehouse.Unavailable, "the rules are stored but not evaluated, as there is no vmalert program in %s; put the one of VictoriaMetrics there", where)
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

func programIn(dir string) string { return programNamed(dir, programNames) }

func programNamed(dir string, names []string) string {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// Version is that of the program that managed deployments will run when they start, or "" when there is none or it does not tell.
func (s *Supervisor) Version() string {
	path, err := s.findProgram()
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
