package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

// files are those in a deployment's folder that belong to one of its programs: their common path without the extension.
type files string

func engineFiles(dir string) files  { return files(filepath.Join(dir, "engine")) }
func vmalertFiles(dir string) files { return files(filepath.Join(dir, "vmalert")) }

func (f files) log() string      { return string(f) + ".log" }
func (f files) pid() string      { return string(f) + ".pid" }
func (f files) password() string { return string(f) + ".password" }

func logPath(dir string) string      { return engineFiles(dir).log() }
func pidPath(dir string) string      { return engineFiles(dir).pid() }
func passwordPath(dir string) string { return engineFiles(dir).password() }

// process is one program that Gatehouse has started.
type process struct {
	dir      string
	files    files
	program  string
	pid      int
	port     int
	handle   *os.Process
	endpoint Endpoint
	version  string
	logStart int64     // where the lines of this process begin in its log
	nextCap  time.Time // no earlier is the log shortened
	lifeline *lifeline
	served   bool // it has answered a health check

	ended chan struct{} // closed when it has ended
	err   error         // how; read it after ended
}

// start runs the program for the deployment on a free loopback port, with a fresh password.
func (m *managed) start(ctx context.Context, program string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	flags, err := engineFlags(m.d, m.dir, port, m.memory())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, flags...)
	cmd.Env = engineEnv()
	p := &process{dir: m.dir, files: engineFiles(m.dir), program: program, port: port, version: programVersion(ctx, program)}
	return p, p.start(cmd)
}

// start runs the command, which listens on the process's port and demands the password in its file.
func (p *process) start(cmd *exec.Cmd) error {
	password := rand.Text()
	if err := writeFresh(p.files.password(), password); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	logFile, logStart, err := openLog(p.files.log())
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer logFile.Close()

	cmd.Dir = p.dir
	// The engine writes to the file itself. Through a pipe, it would die of SIGPIPE on its first line after Gatehouse was killed,
	// before it has written its data to disk.
	cmd.Stdout, cmd.Stderr = logFile, logFile
	line, err := newLifeline(cmd)
	if err != nil {
		return err
	}
	p.logStart, p.lifeline, p.ended = logStart, line, make(chan struct{})
	p.endpoint = Endpoint{URL: "http://127.0.0.1:" + strconv.Itoa(p.port), Username: engineUser, Password: password}
	if err := cmd.Start(); err != nil {
		line.free()
		return err
	}
	p.handle, p.pid = cmd.Process, cmd.Process.Pid
	// Before Wait: until then the process ID stays ours, even if the program has ended already.
	err = errors.Join(line.tie(p.handle), p.files.writePID(p.pid))
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err != nil {
		p.kill() // one that might be left behind unnoticed must not run
		line.free()
		return err
	}
	return nil
}

// end asks the engine to end, waits until it has written its data, and kills it only when patience or Stop's deadline has run out.
func (m *managed) end(ctx context.Context, p *process) {
	if !p.hasEnded() {
		switch context.Cause(ctx) {
		case errReplaced:
			m.states.report(ctx, gatehouse.Provisioning, "", "", nil)
		case errStopped:
			m.states.report(ctx, gatehouse.Stopped, "VictoriaMetrics writes its data to disk and ends", p.version, nil)
		}
		p.ask()
		select {
		case <-p.ended:
		case <-m.killing.Done():
		case <-time.After(endPatience):
		}
	}
	if !p.hasEnded() {
		m.cfg.Log.Error("killing VictoriaMetrics, which does not end in time; what it received in its last seconds is lost", "deployment", m.d.ID, "process", p.pid)
		p.kill()
	}
	p.tidy()
}

// tidy lets go of what was needed while the process ran.
func (p *process) tidy() {
	p.lifeline.cut()
	if p.hasEnded() {
		p.files.forgetPID()
		os.Remove(p.files.password())
	}
}

// ask makes the engine write its data and end. It may have been told so by others: systemd, by default, signals all processes of a
// service at the same moment, and telling it again would kill it. An engine that has served and now refuses connections is on its
// way out; it takes a moment until it does.
func (p *process) ask() {
	time.Sleep(100 * time.Millisecond)
	if !p.served || !refuses(p.port) {
		p.lifeline.cut()
	}
	p.handle.Signal(syscall.SIGCONT) // one that is suspended would not hear it
}

func refuses(port int) bool {
	conn, err := net.DialTimeout("tcp4", "127.0.0.1:"+strconv.Itoa(port), time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// kill ends the engine at once. It still runs afterwards if it hangs in the kernel, on a dead disk for example; the note of its
// process ID then makes the next start deal with it.
func (p *process) kill() {
	p.handle.Kill()
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// freePort picks a free port. Another program may take it before the engine does; then the engine ends and the next start picks
// another one.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// writeFresh replaces a file by one that only we can read, whatever the mode of the old one was.
func writeFresh(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
