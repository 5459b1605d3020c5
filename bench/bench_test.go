package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/secret"
)

func TestUsageCountsTheChildrenOfAProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is read from /proc, which only Linux has")
	}
	p := command(t.Context(), "/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done & wait; echo done >&2; sleep 60")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	deadline := time.Now().Add(20 * time.Second)
	for {
		u, err := p.use()
		if err == nil && u.cpu > 0 && u.resident > 0 && u.peak >= u.resident {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v; want some of everything", u, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestALoadSendsWhatItSaysAndTimesEachRequest(t *testing.T) {
	token := secret.New(secret.AccessToken).Reveal()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost && r.ContentLength != 2<<10:
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer backend.Close()
	addr := backend.Listener.Addr().String()
	for _, l := range loads[:2] {
		latencies, err := l.run(t.Context(), addr, []string{token}, 100*time.Millisecond)
		if err != nil || len(latencies) < connections {
			t.Errorf("%s: %d requests, %v; want some on each connection", l.name, len(latencies), err)
		}
	}
	_, err := loads[0].run(t.Context(), addr, []string{"wrong"}, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a refused request ended the run with %v", err)
	}
}

func TestAProcessThatEndsIsReportedWithWhatItSaid(t *testing.T) {
	p := command(t.Context(), "/bin/sh", "-c", "echo no such option >&2; exit 2")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	err = p.waitUntil(t.Context(), func() error { return answers(addr, "x") })
	if err == nil || !strings.Contains(err.Error(), "no such option") {
		t.Errorf("got %v", err)
	}
	p.stop() // once more does no harm
}

func TestMissingPeersAreSaidAndLeftOut(t *testing.T) {
	self, err := exec.LookPath("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b := &bench{out: &out, gatehouse: self, vmauth: "/no/such/vmauth", peers: "vmauth"}
	found, err := b.findProxies()
	if err != nil || len(found) != 1 || !strings.Contains(out.String(), "vmauth is left out") || !strings.Contains(out.String(), "go tool task engine") {
		t.Errorf("%v, %v: %s", found, err, &out)
	}
	b.gatehouse = "/no/such/gatehouse"
	if _, err := b.findProxies(); err == nil || !strings.Contains(err.Error(), "go tool task build") {
		t.Errorf("without Gatehouse: %v", err)
	}
}

func TestASlowReaderTakesItsTime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20)) // too short
	})}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	if _, err := readSlowly(ln.Addr().String(), "x", time.Second); err == nil || !strings.Contains(err.Error(), "instead of") {
		t.Errorf("a short export was taken for a whole one: %v", err)
	}
}

func TestMedian(t *testing.T) {
	if m := median([]int{9, 1, 5}); m != 5 {
		t.Errorf("got %d", m)
	}
}
