package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestOpenPagesFollowWhatHappens changes things from elsewhere, and watches pages that stay open.
func TestOpenPagesFollowWhatHappens(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	stayed := b.stay()

	value := newToken(t, p.dataDir, "default", "from the command line", "w")
	created := time.Now()
	b.find("rowheader", "from the command line")
	t.Logf("the page showed the new token after %v", time.Since(created))

	b.click("button", "Generate Token")
	b.waitFocus("textbox", "Name")
	b.press("half a na")
	newToken(t, p.dataDir, "default", "meanwhile", "r")
	if a := p.request("POST", value, "/api/v1/import/prometheus", "live 1"); a.status != http.StatusNoContent {
		t.Fatalf("the token got status %d: %s", a.status, a.body)
	}
	b.hears(`^First request received .* with token from the command line$`)
	b.press("me")
	if got := b.find("textbox", "Name").value(); got != "half a name" {
		t.Errorf("the open form holds %q", got)
	}
	b.press(kb.Escape)
	b.waitGone("dialog", "Generate Token")
	b.find("rowheader", "meanwhile")

	b.click("button", "Actions for meanwhile")
	must(t, p.dataDir, "", "token", "revoke", tokenID(t, p.dataDir, "default", "from the command line"))
	b.waitGone("rowheader", "from the command line")
	b.find("button", "Examples") // the open menu has stayed open
	stayed()
}

// TestCardsFollowTheFigures leaves the list open with a menu that the viewer has opened.
func TestCardsFollowTheFigures(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	stayed := b.stay()
	const height = `document.querySelector(".card").offsetHeight`
	before := eval[int](b, height)
	b.click("button", "Actions for default")
	b.find("button", "Stop")
	p.seesActive(b, newToken(t, p.dataDir, "default", "writer", "w"), 7, "Active time series 7 no limit")
	if after := eval[int](b, height); after != before {
		t.Errorf("the card was %d px high, and is %d", before, after)
	}
	b.find("button", "Stop") // the open menu has stayed open
	stayed()
}

func TestBadgeFollowsTheEngine(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	b.sees("default Running")
	stayed := b.stay()
	for pid := range enginesOf(t, p.dataDir) {
		id, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(id, syscall.SIGCONT) })
		if err := syscall.Kill(id, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		stopped := time.Now()
		b.sees("default Error")
		t.Logf("the page showed the error after %v", time.Since(stopped))
		if err := syscall.Kill(id, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	b.sees("default Running")
	stayed()
}

// TestPageOutlivesTheServer restarts the server under an open page.
func TestPageOutlivesTheServer(t *testing.T) {
	t.Parallel()
	console := "127.0.0.1:" + freePort(t)
	p, b := newConsole(t, "/deployments/default/tokens", "--console-listen", console)
	b.expectTrouble(`net::ERR_|Failed to fetch`)
	stayed := b.stay()
	p.stop()
	b.sees("Connection to Gatehouse lost. Trying again…")
	b.click("button", "Copy key of default")
	b.sees("Not copied: Gatehouse does not answer. Check the connection and try again.")
	b.click("button", "Close")

	again := serve(t, p.dataDir, "--console-listen", console)
	again.waitRunning("default")
	newToken(t, p.dataDir, "default", "after the restart", "r")
	b.find("rowheader", "after the restart")
	eventually(t, "the page says no more that the connection is lost", func() error {
		if shown, err := b.text(); err != nil || strings.Contains(shown, "Connection to Gatehouse lost") {
			return fmt.Errorf("it shows %s (%v)", shown, err)
		}
		return nil
	})
	stayed()
}
