package engine

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

// files are those in a deployment's folder that belong to one of its programs: their common path without the extension.
type files string

// programFiles are named after the log.
func programFiles(dir string, p gatehouse.Program) files {
	return files(filepath.Join(dir, string(p.Log())))
}

func vmalertFiles(dir string) files { return files(filepath.Join(dir, "vmalert")) }
func relayFiles(dir string) files   { return files(filepath.Join(dir, "relay")) }

func (f files) log() string      { return string(f) + ".log" }
func (f files) pid() string      { return string(f) + ".pid" }
func (f files) password() string { return string(f) + ".password" }

// passwordFlag is also how a process is recognised as the one of a deployment.
func (f files) passwordFlag() string { return "-httpAuth.password=file://" + f.password() }

// process is one program that Gatehouse has started.
type process struct {
	dir      string
	name     gatehouse.Program
	files    files
	program  string // where it lies
	pid      int
	port     int
	at       ports
	password string // that it demands; empty: a fresh one
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

// start runs the command, which listens on the process's port and demands the password in its file.
func (p *process) start(cmd *exec.Cmd) error {
	p.password = cmp.Or(p.password, rand.Text())
	if err := writeFresh(p.files.password(), p.password); err != nil {
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
	if p.lifeline == nil {
		if p.lifeline, err = newLifeline(); err != nil {
			return err
		}
	}
	p.lifeline.hang(cmd)
	p.logStart, p.ended = logStart, make(chan struct{})
	p.endpoint = Endpoint{URL: "http://" + loopback(p.port), Username: engineUser, Password: p.password}
	if err := cmd.Start(); err != nil {
		p.lifeline.release()
		return err
	}
	p.handle, p.pid = cmd.Process, cmd.Process.Pid
	// Before Wait: until then the process ID stays ours, even if the program has ended already.
	err = errors.Join(p.lifeline.tie(p.handle), p.files.writePID(p.pid))
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err != nil {
		p.kill() // one that might be left behind unnoticed must not run
		p.lifeline.release()
		return err
	}
	return nil
}

// tidy lets go of what was needed while the process ran.
func (p *process) tidy() {
	p.lifeline.release()
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
	conn, err := net.DialTimeout("tcp4", loopback(port), time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// kill ends the engine at once. It still runs afterwards if it hangs in the kernel, on a dead disk for example; the note of its
// process ID then makes the next start deal with it.
func (p *process) kill() {
	p.handle.Kill()
	p.waitEnd(5 * time.Second)
}

// waitEnd waits until the program has ended, but not for longer than patience.
func (p *process) waitEnd(patience time.Duration) {
	select {
	case <-p.ended:
	case <-time.After(patience):
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
