package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// untrustedHost leads to this machine, but browsers do not trust it as they trust 127.0.0.1: its pages have no clipboard.
const untrustedHost = "gatehouse.test"

// chromium is a browser that one test uses at a time, in as many tabs as it likes: all tabs share a clipboard.
type chromium struct {
	ctx  context.Context
	end  func()
	test string // that uses it
	tabs int    // that are open
}

var chromiums struct {
	mu  sync.Mutex
	all []*chromium
}

// useChromium gives the browser that the test uses already, or one that is free, until the (sub)test ends.
func useChromium(t *testing.T) context.Context {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	chromiums.mu.Lock()
	defer chromiums.mu.Unlock()
	i := slices.IndexFunc(chromiums.all, func(c *chromium) bool { return c.tabs > 0 && c.test == test })
	if i < 0 {
		i = slices.IndexFunc(chromiums.all, func(c *chromium) bool { return c.tabs == 0 })
	}
	if i < 0 {
		i = len(chromiums.all)
		chromiums.all = append(chromiums.all, startChromium(t))
	}
	c := chromiums.all[i]
	c.test = test
	c.tabs++
	t.Cleanup(func() {
		chromiums.mu.Lock()
		defer chromiums.mu.Unlock()
		c.tabs--
	})
	return c.ctx
}

func startChromium(t *testing.T) *chromium {
	t.Helper()
	profile, err := os.MkdirTemp("", "gatehouse-chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Nothing outside this machine can be found.
		chromedp.Flag("host-resolver-rules", "MAP "+untrustedHost+" 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	c := &chromium{ctx: ctx, end: func() {
		ending, stop := context.WithTimeout(ctx, patience)
		defer stop()
		_ = chromedp.Cancel(ending) // it ends with this process anyway
		cancel()
		os.RemoveAll(profile)
	}}
	if err := chromedp.Do(ctx); err != nil {
		c.end()
		t.Fatalf("start Chromium: %v; the test task installs what is missing: go tool task test", err)
	}
	return c
}

// closeChromiums ends the browsers of all tests.
func closeChromiums() {
	for _, c := range chromiums.all {
		c.end()
	}
}
