package engine

import (
	"net/http"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/internal/gatehouse"
)

// adoptOrphans makes what a killed Gatehouse leaves behind children of this process. Otherwise the kernel would wake those that are
// suspended, as it does with processes of which nobody in their session is the parent any more (setpgid(2)), if only it finds that
// they are suspended already; and so the machine's load would decide what is tested.
func adoptOrphans(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
}

func TestALeftoverEngineIsEndedAtTheNextStartAndLosesNothing(t *testing.T) {
	adoptOrphans(t)
	dataDir := t.TempDir()
	parent, e := killedGatehouse(t, dataDir)
	w := supervise(t, programDir(t), dataDir)
	pid := w.enginePID(t)
	write(t, e, "last_second")
	syscall.Kill(pid, syscall.SIGSTOP) // so that it does not hear that its Gatehouse is gone
	parent.Kill()

	w.Apply(created(managedDeployment()))
	running := w.await(t, gatehouse.Running)
	if startTime(pid) != "" {
		t.Error("the leftover engine lives on")
	}
	awaitSample(t, running.Endpoint, "last_second")
}

func TestALeftoverClusterIsEndedAtTheNextStartAndLosesNothing(t *testing.T) {
	adoptOrphans(t)
	parent, e, w, pids := clusterOfAnother(t)
	writeTo(t, e, "0", "last_second")
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGSTOP) // so that it does not hear that its Gatehouse is gone
	}
	parent.Kill()

	w.Apply(created(managedCluster()))
	w.await(t, gatehouse.Running)
	for _, pid := range pids {
		if startTime(pid) != "" {
			t.Error("a leftover program lives on")
		}
	}
	awaitIn(t, w, "0", "last_second")
}

func TestAnEngineLeftBehindIsEndedWhenItsDeploymentIsStopped(t *testing.T) {
	adoptOrphans(t)
	dataDir := t.TempDir()
	parent, _ := killedGatehouse(t, dataDir)
	w := supervise(t, programDir(t), dataDir)
	pid := w.enginePID(t)
	syscall.Kill(pid, syscall.SIGSTOP) // so that it does not hear that its Gatehouse is gone
	parent.Kill()
	d := managedDeployment()
	d.StoppedBy = "ops@example.com"
	eventually(t, "the killed Gatehouse has let go of the folder", func() bool {
		unlock, err := lockFolder(w.folder(testID))
		if err == nil {
			unlock()
		}
		return err == nil
	})
	w.Apply(created(d))
	awaitGone(t, pid)
}

func TestAVmalertThatAKilledGatehouseHasLeftBehindIsEnded(t *testing.T) {
	adoptOrphans(t)
	for name, files := range map[string][]gatehouse.RuleFile{"with rules": {rulesOf("a", "records", recording)}, "without rules by now": nil} {
		t.Run(name, func(t *testing.T) {
			vm, _ := elsewhere(t)
			t.Setenv("ENGINE_TEST_CONNECTED", vm)
			w := supervise(t, programDir(t), t.TempDir())
			r := &ruled{watched: w, deployment: connectedTo(vm), dir: w.connectedFolder(testID), set: gatehouse.RuleSet{Files: files}}
			r.relay.data = func(string) http.Handler { return http.NotFoundHandler() }
			killed, _ := killedGatehouse(t, w.dataDir)
			pid := r.vmalertPID(t)
			syscall.Kill(pid, syscall.SIGSTOP) // so that it does not hear that its Gatehouse is gone
			killed.Kill()
			eventually(t, "the killed Gatehouse has let go of the folder", func() bool {
				unlock, err := lockFolder(r.dir)
				if err == nil {
					unlock()
				}
				return err == nil
			})
			r.begin()
			awaitGone(t, pid)
			r.awaitRules(t, "the rules are evaluated, if there are any", func(e gatehouse.Evaluation) bool { return running(e) == (files != nil) })
		})
	}
}
