// Package owner gives files that root makes to the user who is to read them. Administrators run commands with sudo beside a server
// that runs as a user of its own, which would find files that it may not open.
package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Inherit gives a file that was just made the owner and group of the first of the paths that exists. It must be new, as os.O_EXCL
// makes sure: another one may be a link to what nobody else should own. Where this process is not root's, it does nothing.
func Inherit(f *os.File, from ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, path := range from {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look who is to own a new file: %w", err)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			return f.Chown(int(s.Uid), int(s.Gid))
		}
	}
	return nil
}
