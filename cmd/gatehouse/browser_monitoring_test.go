package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// drawnScript counts the points of the chart that have been drawn in the colour of one of its lines. Of two lines at the same place
// only the later is seen.
const drawnScript = `(() => {
	const canvas = document.querySelector(%[1]s + " canvas");
	if (!canvas?.width) return 0;
	const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
	const pen = copy.getContext("2d", { willReadFrequently: true });
	const colours = [...document.querySelectorAll(%[1]s + " .legend .line")].map((line) => {
		pen.fillStyle = getComputedStyle(line).stroke;
		pen.fillRect(0, 0, 1, 1);
		return pen.getImageData(0, 0, 1, 1).data;
	});
	pen.clearRect(0, 0, 1, 1);
	pen.drawImage(canvas, 0, 0);
	const all = pen.getImageData(0, 0, canvas.width, canvas.height).data;
	let n = 0;
	for (let i = 0; i < all.length; i += 4) {
		if (all[i + 3] > 60 && colours.some(([r, g, b]) => Math.abs(all[i] - r) + Math.abs(all[i + 1] - g) + Math.abs(all[i + 2] - b) < 12)) n++;
	}
	return n;
})()`

// waitDrawn waits until a line of the chart is seen.
func (b *tab) waitDrawn(chart string) {
	b.Helper()
	eventually(b.T, "a line is drawn in "+chart, func() error {
		n, err := tryEval[int](b, sprintJS(drawnScript, chart))
		if err == nil && n == 0 { // on a small screen two points of the line are not many of the canvas
			err = errors.New("no point has its colour")
		}
		return err
	})
}

// busyRe is a legend with a rate of writes above zero.
var busyRe = regexp.MustCompile(`Write, 2xx (0\.0*)?[1-9]`)

// waitBusy sends requests with the token until the open page shows that they have come.
func (p *program) waitBusy(b *tab, token string) {
	b.Helper()
	eventually(b.T, "the legend counts the requests", func() error {
		if a := p.request("POST", token, "/api/v1/import/prometheus", "busy 1"); a.status != http.StatusNoContent {
			return fmt.Errorf("writing got status %d", a.status)
		}
		shown, err := tryEval[string](b, `document.querySelector("#chart-requests .legend")?.innerText ?? "no chart"`)
		if shown = inOneLine(shown); err == nil && !busyRe.MatchString(shown) {
			err = errors.New(shown)
		}
		return err
	})
}

func TestMonitoringShowsWhatComes(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default")
	token := newToken(t, p.dataDir, "default", "vmagent prod", "w")
	b.clickToLoad("link", "Monitoring")
	stayed := b.stay()
	p.waitBusy(b, token)
	b.waitDrawn("#chart-requests")
	eventually(t, "the chart is described", func() error {
		text, err := tryEval[string](b, `document.querySelector("#chart-requests [role=img]").ariaLabel`)
		if err == nil && !b.has("image", text) { // also when it has changed just now
			err = fmt.Errorf("there is no image %q", text)
		}
		return err
	})
	stayed()

	t.Run("the legends tell the values under the mouse", func(t *testing.T) {
		b.resize(1440, 2400)
		told := regexp.MustCompile(`Requests Line \d\d:\d\d:\d\d Highest .* Data Line \d\d:\d\d:\d\d Highest`)
		eventually(t, "the legends tell a time", func() error {
			box := eval[[]float64](b, `(({ right, top }) => [right, top])(document.querySelector("#chart-requests .u-over").getBoundingClientRect())`)
			b.must(chromedp.Do(b.ctx, chromedp.MouseEvent(chromedp.MouseMoved, box[0]-2, box[1]+20)))
			shown, err := b.text()
			if err == nil && !told.MatchString(shown) {
				err = fmt.Errorf("they tell %s", shown)
			}
			return err
		})
		eventually(t, "the newest values are told as the server tells them", func() error {
			other, err := tryEval[string](b, `[...document.querySelectorAll(".legend td[data-at]")].map((e) => e.textContent + " not " + e.dataset.at).filter((s) => { const [a, b] = s.split(" not "); return a !== b; }).join(", ")`)
			if err == nil && other != "" {
				err = errors.New(other)
			}
			return err
		})
		b.must(chromedp.Do(b.ctx, chromedp.MouseEvent(chromedp.MouseMoved, 0, 0)))
		b.seesMatch(`Requests Line Now Highest .* Data Line Now Highest`)
	})
	t.Run("the lines follow the theme", func(t *testing.T) {
		b.click("button", "Dark")
		b.waitDrawn("#chart-requests")
		b.click("button", "System")
		b.prefer("light")
		b.waitDrawn("#chart-requests")
	})
	t.Run("the lines fit a small screen", func(t *testing.T) {
		b.resize(360, 740)
		eventually(t, "the chart becomes narrow", func() error {
			width, err := tryEval[int](b, `document.querySelector("#chart-requests canvas").clientWidth`)
			if err == nil && width > 330 {
				err = fmt.Errorf("it is %d px wide", width)
			}
			return err
		})
		b.waitDrawn("#chart-requests")
		if wide := eval[string](b, overflowScript); wide != "" {
			t.Errorf("too wide: %s", wide)
		}
		b.resize(1440, 900)
	})
	t.Run("another period is shown in place", func(t *testing.T) {
		b.click("link", "Last week")
		b.sees("a point every hour")
		if path := b.path(); !strings.HasSuffix(path, "/monitoring?period=week") {
			t.Errorf("the address is %s", path)
		}
		b.waitDrawn("#chart-requests")
		b.seesMatch(`Requests Line Last hour Highest`)
	})
	stayed()

	t.Run("everything can be read without JavaScript", func(t *testing.T) {
		b := openTab(t, p.console)
		b.withoutScripts()
		b.signIn(browserEmail, "/deployments/default/monitoring")
		b.seesMatch(`Last hour a point every 30 seconds, times in UTC`)
		b.click("DisclosureTriangle", "Requests as a table")
		b.seesMatch(`Time Read, 2xx Write, 2xx .* \d\d:\d\d 0/s [\d.]+/s`)
		b.click("link", "Last day")
		b.sees("a point every 10 minutes")
	})
	t.Run("the page of the token shows its own requests", func(t *testing.T) {
		b := openTab(t, p.console)
		b.signIn(browserEmail, "/deployments/default/tokens")
		b.clickToLoad("link", "vmagent prod")
		p.waitBusy(b, token)
		b.waitDrawn("#chart-requests")
		b.visit("/deployments/default/tokens/" + tokenID(t, p.dataDir, "default", "default"))
		b.sees("never used")
		b.seesMatch(`Write, 2xx 0/s 0/s`)
	})
}

func TestTokenPageFromTheTableToItsDeletion(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	b.allowClipboard()
	value := newToken(t, p.dataDir, "default", "grafana", "rw")
	b.clickToLoad("link", "grafana")
	b.find("heading", "grafana")
	b.sees("never used")
	stayed := b.stay()

	b.click("button", "Copy key of grafana")
	b.hears("^Copied$")
	if b.clipboard() != value {
		t.Error("another key was copied")
	}
	if a := p.request("GET", value, "/api/v1/query?query=1", ""); a.status != http.StatusOK {
		t.Fatalf("the token got status %d", a.status)
	}
	b.seesMatch(`Last used .* from 127\.0\.0\.1`)
	b.seesMatch(`Saw or copied access token .* Generated access token`)
	b.click("tab", "Read")
	b.click("button", "Copy example cURL")
	b.hears("^Copied$")
	eventually(t, "the chosen tab stays while the page goes on", func() error {
		text, err := tryEval[string](b, `document.querySelectorAll(".records tbody tr").length + " " + document.querySelector("[role=tab][aria-selected=true]").innerText`)
		if err == nil && text != "3 Read" {
			err = errors.New(text)
		}
		return err
	})
	stayed()

	b.click("button", "Delete")
	b.find("dialog", "Delete grafana?")
	b.clickToLoad("button", "Delete")
	b.find("rowheader", "default")
	if b.has("rowheader", "grafana") {
		t.Error("the deleted token is listed")
	}
	b.visit("/deployments/default/tokens/gone")
	b.sees("Not found")
}
