package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endWithParent has the kernel end a child when the benchmark is killed and cannot do it itself.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// tick is the unit of times in /proc, which is the same on all of Linux' architectures that Go supports.
const tick = 10 * time.Millisecond

// usage is what a process and its children have used.
type usage struct {
	cpu            time.Duration // user and system
	resident, peak int64         // bytes; pages that processes share count in each
}

// use reads the usage of the process and of all its living children.
func (p *process) use() (usage, error) {
	return useOf(strconv.Itoa(p.cmd.Process.Pid))
}

func useOf(pid string) (usage, error) {
	var u usage
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may hold blanks
	fields := strings.Fields(rest)                // from the third field on, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
	if len(fields) < 13 {
		return u, fmt.Errorf("/proc/%s/stat is too short", pid)
	}
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return u, err
	}
	u.resident, u.peak = kilobytes(string(status), "VmRSS:"), kilobytes(string(status), "VmHWM:")
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return u, err
	}
	for _, child := range strings.Fields(string(children)) {
		c, err := useOf(child)
		if err != nil {
			return u, err
		}
		u.cpu, u.resident, u.peak = u.cpu+c.cpu, u.resident+c.resident, u.peak+c.peak
	}
	return u, nil
}

func kilobytes(status, field string) int64 {
	_, rest, _ := strings.Cut(status, field)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(words[0], 10, 64)
	return n << 10
}
