package views

import (
	"context"

	"github.com/a-h/templ"
)

// hx completes the htmx attributes of an element with the page's nonce. The extension hx-csp ignores elements without it, so
// that injected markup cannot make requests.
func hx(ctx context.Context, attributes templ.Attributes) templ.Attributes {
	attributes["hx-nonce"] = templ.GetNonce(ctx)
	return attributes
}

// hxOpen shows the dialog at url over the page.
func hxOpen(ctx context.Context, url string) templ.Attributes {
	return hx(ctx, templ.Attributes{"hx-get": url, "hx-target": "#overlay", "hx-swap": "innerHTML", "hx-sync": "#overlay:replace"})
}

// hxSend sends a dialog's form, and makes the open dialog the one that comes as the answer. Where the dialog is a page of its own,
// the form is a plain one.
func hxSend(ctx context.Context, url string) templ.Attributes {
	if ctx.Value(wholePage{}) != nil {
		return nil
	}
	return hx(ctx, templ.Attributes{"hx-post": url, "hx-target": "closest dialog", "hx-swap": "outerSync", "hx-disable": "find button[type=submit]", "hx-sync": "this:drop"})
}

// hxMain puts another state of the page into place. It takes precedence over a live update on its way.
func hxMain(ctx context.Context, url string) templ.Attributes {
	return hx(ctx, templ.Attributes{"hx-get": url, "hx-target": "#main", "hx-swap": "outerMorph", "hx-replace-url": "true", "hx-sync": "#main:replace"})
}

// hxLive brings the element up to date whenever the script live.js says that something has changed. It gives way to what the
// viewer does, and leaves the element as it is while the server has trouble.
func hxLive(ctx context.Context, url string) templ.Attributes {
	return hx(ctx, templ.Attributes{"hx-get": url, "hx-trigger": "changed from:body", "hx-swap": "outerMorph", "hx-sync": "this:abort", "hx-status:5xx": "swap:none"})
}

// hxFilter is hxMain for a form: it follows what is typed.
func hxFilter(ctx context.Context, url string) templ.Attributes {
	a := hxMain(ctx, url)
	a["hx-trigger"] = "input delay:200ms, submit"
	return a
}

// hxStatus is hxLive for the part of a dialog that has the id of the element.
func hxStatus(ctx context.Context, url string) templ.Attributes {
	a := hxLive(ctx, url)
	a["hx-select"] = "#token-status"
	return a
}

// hxCode brings the code of a form up to date, which is then the element's whole content. What the viewer has opened stays open.
func hxCode(ctx context.Context, url string) templ.Attributes {
	return hx(ctx, templ.Attributes{
		"hx-post": url, "hx-trigger": "code delay:200ms", "hx-include": "closest form", "hx-select": "#form-code", "hx-swap": "outerMorph", "hx-sync": "this:replace",
	})
}

// hxAdvice does the same for the element with the id, which holds advice that depends on what is typed.
func hxAdvice(ctx context.Context, url, id string) templ.Attributes {
	a := hxCode(ctx, url)
	a["hx-select"], a["data-advice"] = "#"+id, true
	return a
}

// hxLivePart is hxLive for the element with the id, on a page of which the rest is not to change.
func hxLivePart(ctx context.Context, url, id string) templ.Attributes {
	a := hxLive(ctx, url)
	a["hx-select"] = "#" + id
	return a
}

// hxFigures is hxLivePart that also looks now and then, whenever the script live.js says so.
func hxFigures(ctx context.Context, url, id string) templ.Attributes {
	a := hxLivePart(ctx, url, id)
	a["hx-trigger"] = "figures from:body"
	return a
}

// hxCharts is hxLive for a page with charts. They cost queries and have a new point every half minute, so it does not look at each
// change.
func hxCharts(ctx context.Context, url string) templ.Attributes {
	a := hxLive(ctx, url)
	a["hx-trigger"] = "changed from:body throttle:4s, figures from:body throttle:20s"
	return a
}

// hxRules is hxLivePart for the states of rules, which also change without an event.
func hxRules(ctx context.Context, url string) templ.Attributes {
	a := hxLivePart(ctx, url, "rules-state")
	a["hx-trigger"] = "changed from:body, figures from:body"
	return a
}

// hxFollow is hxLivePart for a log, of which no event tells.
func hxFollow(ctx context.Context, url, id string) templ.Attributes {
	a := hxLivePart(ctx, url, id)
	a["hx-trigger"] = "every 2s"
	return a
}
