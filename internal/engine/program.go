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

// findProgram gives the path of the victoria-metrics program, or a *gatehouse.Error that says where to put one.
func (s *Supervisor) findProgram() (string, error) {
	if s.cfg.Dir != "" {
		if path := programIn(s.cfg.Dir); path != "" {
			return filepath.Abs(path)
		}
		return "", gatehouse.Errorf(gatehouse.Unavailable,
			"there is no victoria-metrics program in %s; put one there, or connect a VictoriaMetrics that already runs", s.cfg.Dir)
	}
	if self, err := os.Executable(); err == nil {
		if path := programIn(filepath.Dir(self)); path != "" {
			return path, nil
		}
	}
	for _, name := range programNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", gatehouse.Errorf(gatehouse.Unavailable,
		"there is no victoria-metrics program beside gatehouse or in PATH; put one there, name its folder with --engine-dir, or connect a VictoriaMetrics that already runs")
}

func programIn(dir string) string {
	for _, name := range programNames {
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
