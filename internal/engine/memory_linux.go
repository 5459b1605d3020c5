package engine

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryBytes is the memory of the machine, or less where the cgroup of a container or a systemd service says so,
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files. VictoriaMetrics looks at the same files.
func memoryBytes() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	total := uint64(info.Totalram) * uint64(info.Unit)
	files := []string{"/sys/fs/cgroup/memory/memory.limit_in_bytes"} // version 1
	for group := ownCgroup(); ; group = path.Dir(group) {
		files = append(files, path.Join("/sys/fs/cgroup", group, "memory.max"))
		if group == "/" {
			break
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 { // else "max"
			total = min(total, limit)
		}
	}
	return total
}

// ownCgroup is the path of this process in the hierarchy of version 2, at least "/".
func ownCgroup() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Clean("/" + group)
		}
	}
	return "/"
}
