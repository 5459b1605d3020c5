package snippet

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// stubPrograms makes a directory with programs in place of the clients, which print their arguments and eat their input.
func stubPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"curl", "vmagent", "vmalert"} {
		script := "#!/bin/sh\necho \"arguments of " + name + ": $*\"\ncat >/dev/null\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
