package web

import (
	"io"
	"net/http"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

func (c *console) examplesDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	if t.Broken {
		return gatehouse.Errorf(gatehouse.Conflict, "this access token is damaged in the database and cannot be used; delete it and generate another")
	}
	dialog := c.examples(d, t)
	dialog.Generated = r.FormValue("generated") != ""
	return c.show(w, r, http.StatusOK, dialog)
}

// maskedSecret is how a secret looks in examples.
func maskedSecret(kind secret.Kind, mask string) string {
	return string(kind) + mask + "••••••••"
}

// examples is the dialog with the examples for a token, its secret masked.
func (c *console) examples(d gatehouse.Deployment, t gatehouse.Token) views.ExamplesDialog {
	return views.NewExamplesDialog(d, t, snippet.Examples(c.snippetInput(d, t, maskedSecret(secret.AccessToken, t.Mask))))
}

func (c *console) snippetInput(d gatehouse.Deployment, t gatehouse.Token, value string) snippet.Input {
	return snippet.Input{
		EndpointURL: c.AccessEndpointURL, Type: d.Type, Access: t.Access, Tenant: t.Tenant,
		DeploymentName: d.Name, TokenName: t.Name, Secret: value,
	}
}

// revealToken answers the copy button of a key.
func (c *console) revealToken(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	value, err := c.Control.RevealToken(r.Context(), actor, t.ID)
	if err != nil {
		return err
	}
	return c.reveal(w, r, value.Reveal(), func(text string) views.Page { return views.NewSecretPage(d, "Key of "+t.Name, text) })
}

// revealExample answers the copy button of an example.
func (c *console) revealExample(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	id := r.PathValue("example")
	if _, ok := snippet.Find(c.snippetInput(d, t, ""), id); !ok {
		return gatehouse.Errorf(gatehouse.NotFound, "there is no such example for this token; reload the page")
	}
	value, err := c.Control.RevealToken(r.Context(), actor, t.ID)
	if err != nil {
		return err
	}
	example, _ := snippet.Find(c.snippetInput(d, t, value.Reveal()), id)
	return c.reveal(w, r, example.Code, func(text string) views.Page { return views.NewSecretPage(d, "Example "+example.Title, text) })
}

// reveal sends a text with a secret to the script that asked for it, or shows it on a page where there is no script.
func (c *console) reveal(w http.ResponseWriter, r *http.Request, text string, page func(text string) views.Page) error {
	if wantsPage(r) {
		return c.show(w, r, http.StatusOK, page(text))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text) // the client has gone: nobody is left to tell
	return nil
}
