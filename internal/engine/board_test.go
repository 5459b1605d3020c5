package engine

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestADeploymentIsDoingAsItsWorstProgram(t *testing.T) {
	const storage, query, insert = gatehouse.StorageProgram, gatehouse.SelectProgram, gatehouse.InsertProgram
	running := func(url string) standing {
		return standing{gatehouse.Running, "", "v1", &Endpoint{URL: url, Username: "u", Password: "p"}}
	}
	var told standing
	b := board{programs: gatehouse.Cluster.Programs(), tell: func(s standing) { told = s }}
	want := func(status gatehouse.Status, detail string, e *Endpoint) {
		t.Helper()
		if told.status != status || told.detail != detail || !told.endpoint.equal(e) {
			t.Errorf("it is %s, %q, at %+v; want %s, %q, at %+v", told.status, told.detail, told.endpoint, status, detail, e)
		}
	}
	all := Endpoint{StorageURL: "st", SelectURL: "se", InsertURL: "in", Username: "u", Password: "p"}

	b.note(storage, running("st"))
	want(gatehouse.Provisioning, "", &Endpoint{StorageURL: "st", Username: "u", Password: "p"})
	b.note(query, running("se"))
	b.note(insert, running("in"))
	want(gatehouse.Running, "", &all)
	if told.version != "v1" {
		t.Errorf("its version is %q", told.version)
	}

	warning := running("st")
	warning.detail = "nearly full"
	b.note(storage, warning)
	want(gatehouse.Running, "nearly full", &all)
	b.note(query, standing{gatehouse.Failed, "vmselect hangs", "v1", nil})
	want(gatehouse.Failed, "vmselect hangs", &Endpoint{StorageURL: "st", InsertURL: "in", Username: "u", Password: "p"})
	full := running("st")
	full.status, full.detail = gatehouse.Failed, "full"
	b.note(storage, full)
	want(gatehouse.Failed, "full", &Endpoint{StorageURL: "st", Username: "u", Password: "p"})
	b.note(query, running("se"))
	want(gatehouse.Failed, "full", &Endpoint{StorageURL: "st", SelectURL: "se", Username: "u", Password: "p"})
	b.note(storage, standing{gatehouse.Failed, "vmstorage has ended", "", nil})
	want(gatehouse.Failed, "vmstorage has ended", nil)
	b.note(insert, standing{gatehouse.Stopped, "vminsert ends", "v1", nil})
	want(gatehouse.Stopped, "vminsert ends", nil)
}

func TestVmstorageKeepsItsPortsUnlessSomebodyTakesOne(t *testing.T) {
	var b portBook
	pick := func(p gatehouse.Program) ports {
		t.Helper()
		at, err := b.pick(p)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := pick(gatehouse.StorageProgram)
	front := pick(gatehouse.InsertProgram)
	if front.rpc != first.rpc || front.http == first.http || first.insert == first.query {
		t.Errorf("vmstorage is at %+v, vminsert at %+v", first, front)
	}
	if again := pick(gatehouse.StorageProgram); again.rpc != first.rpc || b.moved(front) {
		t.Errorf("it moved from %+v to %+v", first, again)
	}
	l, err := net.Listen("tcp4", loopback(first.insert))
	if err != nil {
		t.Skip(err) // another program took it already
	}
	defer l.Close()
	if again := pick(gatehouse.StorageProgram); again.insert == first.insert || !b.moved(front) {
		t.Errorf("it stays at %+v, where somebody else is", again)
	}
}

func TestAnEndpointIsPrintedWithAllItsURLsAndWithoutItsPassword(t *testing.T) {
	e := Endpoint{StorageURL: "st", SelectURL: "se", InsertURL: "in", Username: "u", Password: "hush"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, e)
		for _, url := range []string{"st", "se", "in"} {
			if !strings.Contains(text, url) {
				t.Errorf("%s prints %q, without %s", format, text, url)
			}
		}
		if strings.Contains(text, "hush") {
			t.Errorf("%s prints the password", format)
		}
	}
}
