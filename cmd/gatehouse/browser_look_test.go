package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screens are the widths that the console must fit, with usual heights.
var screens = [][2]int64{{1440, 900}, {768, 1024}, {360, 740}}

// eachScene shows every scene to look, on every screen in both themes. It gives the tabs in which it did.
func eachScene(t *testing.T, look func(b *tab, name string, width int64, theme string)) []*tab {
	t.Helper()
	var tabs []*tab
	show := func(b *tab, all []scene) {
		tabs = append(tabs, b)
		for _, s := range all {
			b.resize(screens[0][0], screens[0][1])
			b.prefer("light")
			s.show(b)
			b.must(chromedp.Do(b.ctx, chromedp.MouseEvent(chromedp.MouseMoved, 0, 0))) // it would colour what it last clicked
			for _, screen := range screens {
				b.resize(screen[0], screen[1])
				for _, theme := range []string{"light", "dark"} {
					b.prefer(theme)
					look(b, s.name, screen[0], theme)
				}
			}
		}
	}
	endpoint := []string{"--access-endpoint-url", "https://metrics.example.com"}

	door, err := tryServe(t, newDataDir(t), append(endpoint, "--engine-dir", t.TempDir())...)
	if err != nil {
		t.Fatalf("%v\n%s", err, door.log)
	}
	show(openTab(t, door.console), doorScenes(door))

	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	furnish(t, dir)
	tiers := tightTier(t)
	furnishLifecycle(t, dir, tiers)
	link := furnishOrganization(t, dir)
	p := serve(t, dir, append(endpoint, tiers...)...)
	p.waitRunning("default")
	show(openTab(t, p.console), inviteScenes(link))
	v := openTab(t, p.console)
	v.signIn("viewer@example.com", "/deployments")
	show(v, viewerScenes())
	b := openTab(t, p.console)
	b.signIn(browserEmail, "/deployments")
	show(b, organizationScenes())
	show(b, exploreScenes(p))
	show(b, integrationScenes())
	show(b, scenes())
	show(b, lifecycleScenes(p))
	furnishRules(t, p)
	show(b, ruleScenes())
	show(b, monitoringScenes(p))
	return tabs
}

// overflowScript names what is wider than its window or dialog.
const overflowScript = `(() => {
	const wide = [];
	const root = document.scrollingElement;
	if (root.scrollWidth > innerWidth) wide.push("page by " + (root.scrollWidth - innerWidth));
	for (const e of document.querySelectorAll("dialog[open], dialog[open] .dialog-body, .table-wrap, .sidebar")) {
		if (e.checkVisibility() && e.scrollWidth > e.clientWidth + 1) wide.push(e.className + " by " + (e.scrollWidth - e.clientWidth));
	}
	return wide.join(", ");
})()`

// contrastScript names texts that do not stand out from their ground by 4.5:1,
// https://www.w3.org/TR/WCAG22/#contrast-minimum.
const contrastScript = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const linear = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
	const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	const ground = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
	const weak = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		const text = walker.currentNode.data.trim();
		if (!text || !e.checkVisibility() || e.closest(".sr, .skip, :disabled, [aria-disabled=true]")) continue;
		const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) weak.add(text.slice(0, 30) + " " + ratio.toFixed(2));
	}
	return [...weak].join(", ");
})()`

// TestEveryPageFitsEveryScreen looks at all pages, drawers and dialogs: nothing is wider than the screen, every text can be read,
// everything that can be used has a name, no two elements share an id, and axe-core finds no fault. No page or dialog is left out.
func TestEveryPageFitsEveryScreen(t *testing.T) {
	t.Parallel()
	tabs := eachScene(t, func(b *tab, name string, width int64, theme string) {
		if wide := eval[string](b, overflowScript); wide != "" {
			t.Errorf("%s at %d px: too wide: %s", name, width, wide)
		}
		if weak := eval[string](b, contrastScript); weak != "" {
			t.Errorf("%s, %s: hard to read: %s", name, theme, weak)
		}
		if width != screens[1][0] {
			rule := ""
			if theme == "dark" {
				rule = "color-contrast" // nothing else is different
			}
			for _, v := range b.faults(rule) {
				t.Errorf("%s at %d px, %s: %v", name, width, theme, v)
			}
		}
		if theme == "dark" {
			return // names and ids are the same
		}
		for _, e := range b.readable("") {
			switch e.role {
			case "button", "link", "textbox", "searchbox", "combobox", "radio", "tab", "dialog", "navigation", "DisclosureTriangle":
				if e.name == "" {
					t.Errorf("%s at %d px: a %s has no name", name, width, e.role)
				}
			}
		}
		const twice = `[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i).join(" ")`
		if ids := eval[string](b, twice); ids != "" {
			t.Errorf("%s: several elements have the id %s", name, ids)
		}
	})
	wantEveryPlace(t, tabs)
}

// TestScreenshots leaves a picture of everything in the folder GATEHOUSE_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("GATEHOUSE_SCREENSHOTS")
	if folder == "" {
		t.Skip("GATEHOUSE_SCREENSHOTS names no folder for the pictures; run: go tool task screenshots")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	eachScene(t, func(b *tab, name string, width int64, theme string) {
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		b.must(err)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, theme)), png, 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// waitTheme waits until the page has the theme and the switch says so.
func (b *tab) waitTheme(theme string) {
	b.Helper()
	eventually(b.T, "the theme becomes "+theme, func() error {
		got, err := tryEval[string](b, `document.documentElement.dataset.theme + " " + document.querySelector("[data-theme-switch] [aria-pressed=true]").innerText.trim().toLowerCase()`)
		if err == nil && got != theme+" "+theme {
			err = fmt.Errorf("it is %q", got)
		}
		return err
	})
}

func TestThemeIsKept(t *testing.T) {
	t.Parallel()
	_, b := newConsole(t, "/deployments")
	ground := func() string { return eval[string](b, `getComputedStyle(document.body).backgroundColor`) }
	light := ground()
	b.click("button", "Dark")
	b.waitTheme("dark")
	if ground() == light {
		t.Error("the colours have not changed")
	}
	b.visit("/deployments/default")
	b.waitTheme("dark")
	b.click("button", "Light")
	b.waitTheme("light")
	b.prefer("dark")
	if ground() != light {
		t.Error("the system's dark theme wins over the viewer's choice")
	}
	b.click("button", "System")
	b.visit("/deployments")
	if ground() == light {
		t.Error("the system's dark theme is not followed")
	}
}

// TestKeyboardAlone goes from the beginning of the page to a deleted token without the mouse.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	newToken(t, p.dataDir, "default", "unwanted", "w")
	b.find("rowheader", "unwanted")
	b.press(kb.Tab)
	b.waitFocus("link", "Skip to content")
	b.press(kb.Enter)
	tabTo := func(role, name string) {
		t.Helper()
		var passed []string
		for range 60 {
			b.press(kb.Tab)
			if at := b.focused(); at == role+" "+name {
				return
			} else {
				passed = append(passed, at)
			}
		}
		t.Fatalf("Tab does not lead to the %s %q, but to %s", role, name, strings.Join(passed, ", "))
	}
	tabTo("button", "Actions for unwanted")
	b.press(kb.Enter)
	b.find("button", "Examples")
	tabTo("button", "Examples")
	b.press(kb.Enter)
	b.find("dialog", "Examples for unwanted")
	b.press(kb.Escape)
	b.waitFocus("button", "Actions for unwanted")
	b.press(" ")
	b.find("button", "Delete")
	tabTo("button", "Delete")
	b.press(kb.Enter)
	b.find("dialog", "Delete unwanted?")
	tabTo("button", "Delete")
	b.press(kb.Enter)
	b.waitGone("dialog", "Delete unwanted?")
	b.waitGone("rowheader", "unwanted")
}
