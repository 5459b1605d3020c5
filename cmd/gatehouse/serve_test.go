package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

// refusesToServe checks that serve ends with one clear sentence.
func refusesToServe(t *testing.T, dataDir, message string, args ...string) {
	t.Helper()
	p, err := tryServe(t, dataDir, args...)
	if err == nil {
		t.Fatalf("gatehouse serve started, and should have said %q", message)
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(p.log.String(), message) {
		t.Errorf("gatehouse serve ended with code %d and said\n%s\nwant %q", code, p.log, message)
	}
}

func TestServeRefusesBusyPorts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--console-listen", "--access-listen", "--ops-listen"} {
		refusesToServe(t, newDataDir(t), "give another with "+flag, flag, taken.Addr().String())
	}
}

func TestServeRefusesASecondServer(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	serve(t, dir)
	refusesToServe(t, dir, "another gatehouse serve runs")
}

func TestServeRefusesForeignDatabases(t *testing.T) {
	t.Parallel()
	foreign := func(t *testing.T, prepare func(path string)) string {
		dir := t.TempDir()
		prepare(filepath.Join(dir, sqlite.File))
		return dir
	}
	exec := func(statements string) func(string) {
		return func(path string) {
			db, err := sql.Open("sqlite3", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(statements); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := func(path string) {
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refusesToServe(t, foreign(t, text), "not a Gatehouse database")
	refusesToServe(t, foreign(t, exec("CREATE TABLE songs (title TEXT)")), "belongs to another program")

	dir := newDataDir(t)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	exec("PRAGMA user_version = 9999")(filepath.Join(dir, sqlite.File))
	refusesToServe(t, dir, "newer Gatehouse")
}

func TestServeWithoutEngineProgramsSaysHowToGoOn(t *testing.T) {
	dir := newDataDir(t)
	t.Setenv("PATH", t.TempDir())
	p, err := tryServe(t, dir, "--engine-dir", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	if !strings.Contains(p.log.String(), "gatehouse deployment connect") {
		t.Errorf("the log does not say what to do:\n%s", p.log)
	}
	vm := &backend{t: t, dir: t.TempDir(), port: freePort(t)}
	vm.start()
	t.Cleanup(vm.stop)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:"+vm.port)
	p.waitRunning("shop")
	value := newToken(t, dir, "shop", "n", "rw")
	if a := p.request("GET", value, "/api/v1/query?query=1", ""); a.status != http.StatusOK {
		t.Errorf("a query through a connected deployment answered %d: %s", a.status, a.body)
	}
}

func TestServeMakesTheFirstAdminFromTheEnvironment(t *testing.T) {
	dir := newDataDir(t)
	t.Setenv("GATEHOUSE_ADMIN_EMAIL", "first@example.com")
	t.Setenv("GATEHOUSE_ADMIN_PASSWORD", "short")
	refusesToServe(t, dir, "at least 12")
	t.Setenv("GATEHOUSE_ADMIN_PASSWORD", "correct horse battery staple")
	p := serve(t, dir)
	if users := must(t, dir, "", "user", "list"); !strings.Contains(users, "first@example.com") {
		t.Errorf("the users are:\n%s", users)
	}
	if strings.Contains(p.log.String(), "/setup") {
		t.Error("a link for the first admin was printed although there is one")
	}
	for pid := range programsOn(t, dir) {
		environment, err := os.ReadFile("/proc/" + pid + "/environ")
		if err != nil || strings.Contains(string(environment), "correct horse") {
			t.Errorf("the engine's environment holds the admin's password (%v)", err)
		}
	}
}

func TestOpsListener(t *testing.T) {
	t.Parallel()
	p := serve(t, newDataDir(t))
	p.waitRunning("default")
	for path, want := range map[string]string{"/-/healthy": "OK", "/-/ready": "OK", "/metrics": "gatehouse_access_", "/debug/pprof/": "goroutine"} {
		resp, err := http.Get(p.ops + path)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, resp)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answered %d without %q:\n%.300s", path, resp.StatusCode, want, body)
		}
	}
}

// TestDeploymentDeletedWhileNoServerRan moves its data to the trash at the next start, and that of no other.
func TestDeploymentDeletedWhileNoServerRan(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	kept := must(t, dir, "", "deployment", "create", "kept")
	p.waitRunning("kept")
	p.stop()
	must(t, dir, "", "deployment", "delete", "default")
	p = serve(t, dir)
	p.waitRunning("kept")
	eventually(t, "the data of the deleted deployment is in the trash, and the other's in its place", func() error {
		trash, _ := filepath.Glob(filepath.Join(dir, "trash", "*"))
		left, _ := filepath.Glob(filepath.Join(dir, "deployments", "*"))
		if len(trash) != 1 || len(left) != 1 || filepath.Base(left[0]) != kept {
			return fmt.Errorf("trash %v, deployments %v", trash, left)
		}
		return nil
	})
	if list := must(t, dir, "", "deployment", "list"); strings.Contains(list, "default") {
		t.Errorf("the deleted default deployment came back:\n%s", list)
	}
}

// TestLostDatabaseLeavesTheDataAlone starts with a database that knows nothing of the data beside it.
func TestLostDatabaseLeavesTheDataAlone(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	p.stop()
	folders, err := filepath.Glob(filepath.Join(dir, "deployments", "*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("%v %v", folders, err)
	}
	for _, name := range []string{sqlite.File, sqlite.File + "-wal", sqlite.File + "-shm"} {
		os.Remove(filepath.Join(dir, name))
	}
	p = serve(t, dir)
	p.waitRunning("default")
	if _, err := os.Stat(filepath.Join(folders[0], "data")); err != nil {
		t.Errorf("the data of the deployment that the database does not know is gone: %v", err)
	}
	if !strings.Contains(p.log.String(), "Is this the right database?") {
		t.Errorf("nobody was told:\n%s", p.log)
	}
}

// TestEnginesMayFinishWriting gives requests no time at all to finish, which must not cost a sample.
func TestEnginesMayFinishWriting(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir, "--shutdown-timeout", "0s")
	p.waitRunning("default")
	value := newToken(t, dir, "default", "both", "rw")
	if a := p.request("POST", value, "/api/v1/import/prometheus", "kept 5"); a.status != http.StatusNoContent {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	p.stop()
	p = serve(t, dir)
	p.waitRunning("default")
	p.arrives(value, "kept")
}

func TestServeRefusesABadEndpointURL(t *testing.T) {
	t.Parallel()
	refusesToServe(t, newDataDir(t), "not a full http or https URL", "--access-endpoint-url", "metrics.example.com")
}

func TestUnsavedStatesAreKeptUntilTheyAreStored(t *testing.T) {
	t.Parallel()
	var u unsavedStates
	running := gatehouse.State{Status: gatehouse.Running}
	u.set("d", gatehouse.State{Status: gatehouse.Provisioning})
	u.set("d", running)
	if err := u.save(func(string, gatehouse.State) error { return errors.New("the disk is full") }); err == nil {
		t.Error("the failure was not reported")
	}
	if state, ok := u.get("d"); !ok || state != running {
		t.Errorf("the unsaved state is %v", state)
	}
	stored := map[string]gatehouse.State{}
	save := func(id string, state gatehouse.State) error { stored[id] = state; return nil }
	if err := u.save(save); err != nil || len(stored) != 1 || stored["d"] != running {
		t.Errorf("stored %v, %v; want the latest state", stored, err)
	}
	clear(stored)
	if err := u.save(save); err != nil || len(stored) != 0 {
		t.Errorf("stored again: %v, %v", stored, err)
	}
}
