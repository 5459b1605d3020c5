// Package views renders the console's pages. Each page or dialog is a struct of what it shows; its components are unexported, so
// that RenderPage and RenderFragment are the only ways in.
//
// The same struct renders as a whole page and as a fragment: htmx gets the part that it puts into the open page, a browser
// without JavaScript gets the page.
package views

import (
	"context"
	"io"
	"strings"

	"github.com/a-h/templ"

	"gatehouse/internal/gatehouse"
)

// Frame is what stands around the content of every page.
type Frame struct {
	User    *gatehouse.Actor // nil: signed out
	Theme   Theme
	Version string // of Gatehouse
	Path    string // of this page, with its query: where changing the theme leads back to
	Place   string // path of the request, which says where in the console this is
}

// at reports whether this is a page of the part of the console that begins at url.
func (f Frame) at(url string) bool { return f.Place == url || strings.HasPrefix(f.Place, url+"/") }

// Theme is the viewer's choice of colours. Empty follows the system.
type Theme string

const (
	System Theme = ""
	Light  Theme = "light"
	Dark   Theme = "dark"
)

// Page is a page or dialog that can be rendered. The structs of this package implement it.
type Page interface {
	title() string
	crumbs() []link            // the way to this page, outermost first
	content() templ.Component  // the page's part of a whole page
	fragment() templ.Component // what htmx gets
}

// link is a place with its name.
type link struct{ label, url string }

// RenderPage writes a whole page.
func RenderPage(ctx context.Context, out io.Writer, f Frame, p Page) error {
	ctx = context.WithValue(ctx, wholePage{}, true)
	if f.User == nil {
		return signedOutLayout(f, p).Render(ctx, out)
	}
	return layout(f, p).Render(ctx, out)
}

// RenderFragment writes what htmx puts into the open page.
func RenderFragment(ctx context.Context, out io.Writer, p Page) error {
	return p.fragment().Render(ctx, out)
}

// wholePage marks the context of a page that is rendered as a whole: its forms have no dialog around them.
type wholePage struct{}

// plain is embedded by pages whose fragment is their content, and who stand at the top of the console.
type plain struct{}

func (plain) crumbs() []link { return nil }

// FormError is what was wrong with the input of a form. Field is the name of the input it stands beside; empty is the form as a
// whole. The zero value is no error.
type FormError struct{ Field, Message string }

// FormErrorOf gives what the viewer may know of err.
func FormErrorOf(err error) FormError {
	if err == nil {
		return FormError{}
	}
	return FormError{Field: gatehouse.ErrorField(err), Message: sentence(gatehouse.ErrorMessage(err))}
}

// on gives the message for one field.
func (e FormError) on(field string) string {
	if e.Field == field {
		return e.Message
	}
	return ""
}

// elsewhere gives the message when it belongs to none of the fields that the form shows.
func (e FormError) elsewhere(fields ...string) string {
	for _, f := range fields {
		if e.Field == f && f != "" {
			return ""
		}
	}
	return e.Message
}
