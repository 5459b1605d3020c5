package web

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

// token finds the token that the URL names, and its deployment.
func (c *console) token(r *http.Request, actor gatehouse.Actor) (gatehouse.Deployment, gatehouse.Token, error) {
	d, err := c.deployment(r, actor)
	if err != nil {
		return d, gatehouse.Token{}, err
	}
	t, err := c.Control.Token(r.Context(), actor, r.PathValue("token"))
	if err == nil && t.DeploymentID != d.ID {
		err = gatehouse.Errorf(gatehouse.NotFound, "the deployment has no access token with this ID; it may have been deleted")
	}
	return d, t, err
}

func (c *console) tokensPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	page := views.TokensPage{Deployment: d, EndpointURL: c.AccessEndpointURL, Query: tokenQuery(r, d.ID), Page: pageNumber(r), Sees: views.SeesOf(actor)}
	page.Tokens, page.Total, err = c.tokensOn(r, actor, page.Query, page.Page)
	if err != nil {
		return err
	}
	if last := max(1, (page.Total+views.TokensPageSize-1)/views.TokensPageSize); page.Page > last {
		page.Page = last // tokens were deleted, or the search matches fewer
		if page.Tokens, page.Total, err = c.tokensOn(r, actor, page.Query, last); err != nil {
			return err
		}
	}
	if page.First, err = c.firstUsedLately(r, actor, d.ID); err != nil {
		return err
	}
	page.Activity = c.activities(page.Tokens)
	if c.Load != nil {
		page.Load = c.Load()
	}
	return c.show(w, r, http.StatusOK, page)
}

// activities tells by token ID what the tokens are doing.
func (c *console) activities(tokens []gatehouse.Token) map[string]gatehouse.TokenActivity {
	all := map[string]gatehouse.TokenActivity{}
	for _, t := range tokens {
		if c.Activity != nil {
			all[t.ID] = c.Activity(t.ID)
		}
	}
	return all
}

func (c *console) tokensOn(r *http.Request, actor gatehouse.Actor, q gatehouse.TokenQuery, page int) ([]gatehouse.Token, int, error) {
	q.Limit, q.Offset = views.TokensPageSize, (page-1)*views.TokensPageSize
	return c.Control.Tokens(r.Context(), actor, q)
}

// tokenQuery reads what the viewer chose to see. What is not understood is left out, since addresses are typed and shared. The
// newest tokens come first unless chosen otherwise.
func tokenQuery(r *http.Request, deploymentID string) gatehouse.TokenQuery {
	q := gatehouse.TokenQuery{DeploymentID: deploymentID, Search: strings.TrimSpace(r.FormValue("search"))}
	if access, err := gatehouse.ParseAccess(r.FormValue("access")); err == nil {
		q.Access = access
	}
	switch sort := gatehouse.TokenSort(r.FormValue("sort")); sort {
	case gatehouse.SortByName, gatehouse.SortByAccess, gatehouse.SortByCreated, gatehouse.SortByCreator, gatehouse.SortByLastUsed, gatehouse.SortByTenant:
		q.Sort, q.Descending = sort, r.FormValue("order") == "desc"
	default:
		q.Sort, q.Descending = gatehouse.SortByCreated, true
	}
	return q
}

func pageNumber(r *http.Request) int {
	const most = 1_000_000 // keeps the offset small
	n, _ := strconv.Atoi(r.FormValue("page"))
	return min(max(n, 1), most)
}

func (c *console) newTokenDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ChangeTokens); err != nil {
		return err
	}
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	form := views.NewNewTokenDialog(d)
	if access, err := gatehouse.ParseAccess(r.FormValue("access")); err == nil {
		form.Access = string(access) // a guide knows what its client needs
	}
	return c.showTokenForm(w, r, http.StatusOK, form)
}

// showTokenForm completes the form with the code that does the same.
func (c *console) showTokenForm(w http.ResponseWriter, r *http.Request, status int, form views.NewTokenDialog) error {
	form.Code = snippet.GenerateToken(c.origin(r), snippet.TokenForm{
		DeploymentID: form.Deployment.ID, Name: form.Name, Access: form.Access, Tenant: form.Tenant,
	})
	return c.show(w, r, status, form)
}

// newTokenCode shows the form again, with the code for what is entered.
func (c *console) newTokenCode(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ChangeTokens); err != nil {
		return err
	}
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	form := tokenForm(r, d)
	form.Open = true
	return c.showTokenForm(w, r, http.StatusOK, form)
}

func tokenForm(r *http.Request, d gatehouse.Deployment) views.NewTokenDialog {
	form := views.NewNewTokenDialog(d)
	form.Name = strings.TrimSpace(r.PostFormValue("name"))
	form.Access = r.PostFormValue("access")
	form.Tenant = strings.TrimSpace(r.PostFormValue("tenant"))
	return form
}

func (c *console) generateToken(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ChangeTokens); err != nil {
		return err
	}
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	form := tokenForm(r, d)
	n, err := newToken(form)
	var t gatehouse.Token
	if err == nil {
		t, _, err = c.Control.CreateToken(r.Context(), actor, n)
	}
	switch {
	case err == nil || t.ID != "": // one that is stored, but not in force yet, is made
		return c.tokenGenerated(w, r, d, t, gatehouse.ErrorMessage(err))
	case isFormError(err):
		form.Error = views.FormErrorOf(err)
		return c.showTokenForm(w, r, statusOf(err), form)
	}
	return err
}

func newToken(form views.NewTokenDialog) (gatehouse.NewToken, error) {
	n := gatehouse.NewToken{DeploymentID: form.Deployment.ID, Name: form.Name, Access: gatehouse.Access(form.Access)}
	if form.Tenant != "" {
		tenant, err := gatehouse.ParseTenant(form.Tenant)
		if err != nil {
			return n, err
		}
		n.Tenant = &tenant
	}
	return n, nil
}

func (c *console) tokenGenerated(w http.ResponseWriter, r *http.Request, d gatehouse.Deployment, t gatehouse.Token, warning string) error {
	if !isHTMX(r) {
		return redirect(w, r, views.GeneratedURL(t))
	}
	dialog := c.examples(d, t)
	dialog.Generated, dialog.Warning = true, warning
	w.Header().Set("HX-Trigger", "changed")
	return c.show(w, r, http.StatusOK, dialog)
}

func (c *console) deleteTokenDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ChangeTokens); err != nil {
		return err
	}
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.NewDeleteTokenDialog(d, t))
}

func (c *console) deleteToken(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	if err := c.Control.RevokeToken(r.Context(), actor, t.ID); err != nil {
		if !isFormError(err) {
			return err
		}
		dialog := views.NewDeleteTokenDialog(d, t)
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	if isOpen(r, views.TokenURL(t, gatehouse.LastHour)) { // a page about what is gone
		return redirect(w, r, views.TokensURL(d.ID))
	}
	return done(w, r, views.TokensURL(d.ID))
}
