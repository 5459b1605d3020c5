package web

import (
	"cmp"
	"net/http"
	"slices"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/probe"
	"gatehouse/internal/secret"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

// mostTokenChoices is how many tokens of each access level a guide offers.
const mostTokenChoices = 50

// placeholder stands in a guide where the secret of a token would.
const placeholder = "YOUR_ACCESS_TOKEN"

func (c *console) integrationsPage(w http.ResponseWriter, r *http.Request, _ gatehouse.Actor) error {
	return c.show(w, r, http.StatusOK, views.IntegrationsPage{Guides: snippet.Guides()})
}

func (c *console) integrationPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.integration(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, page)
}

// integration is the guide that the URL names, for the deployment and token that were chosen, or the first that fit.
func (c *console) integration(r *http.Request, actor gatehouse.Actor) (views.IntegrationPage, error) {
	var page views.IntegrationPage
	needs, fitting := snippet.GuideAccess(r.PathValue("guide"))
	if fitting == nil {
		return page, noSuchPage()
	}
	page.SeesTokens = actor.Can(gatehouse.ViewTokens)
	var err error
	if page.Deployments, err = c.Control.Deployments(r.Context(), actor); err != nil {
		return page, err
	}
	if len(page.Deployments) > 0 {
		chosen := slices.IndexFunc(page.Deployments, func(d gatehouse.Deployment) bool { return d.ID == r.FormValue("deployment") })
		page.Deployment = page.Deployments[max(chosen, 0)]
	}
	if page.SeesTokens && page.Deployment.ID != "" {
		if err := c.addTokenChoices(r, actor, &page, needs, fitting); err != nil {
			return page, err
		}
	}
	in := c.snippetInput(page.Deployment, page.Token, maskedSecret(secret.AccessToken, page.Token.Mask))
	if page.Token.ID == "" {
		in.Access, in.Secret = gatehouse.ReadWrite, placeholder
	}
	page.Guide, _ = snippet.FindGuide(in, r.PathValue("guide"))
	return page, nil
}

// addTokenChoices lists the newest tokens that fit, and chooses the one that was asked for, or else the newest that may do all of it.
func (c *console) addTokenChoices(r *http.Request, actor gatehouse.Actor, page *views.IntegrationPage, needs gatehouse.Access, fitting []gatehouse.Access) error {
	for _, access := range fitting {
		tokens, total, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{
			DeploymentID: page.Deployment.ID, Access: access, Sort: gatehouse.SortByCreated, Descending: true, Limit: mostTokenChoices,
		})
		if err != nil {
			return err
		}
		page.Tokens = append(page.Tokens, tokens...)
		page.Unlisted += total - len(tokens)
	}
	page.Tokens = slices.DeleteFunc(page.Tokens, func(t gatehouse.Token) bool { return t.Broken })
	slices.SortStableFunc(page.Tokens, func(a, b gatehouse.Token) int { return cmp.Compare(b.CreatedAt.UnixMicro(), a.CreatedAt.UnixMicro()) })
	if len(page.Tokens) == 0 {
		return nil
	}
	chosen := slices.IndexFunc(page.Tokens, func(t gatehouse.Token) bool { return t.ID == r.FormValue("token") })
	if chosen < 0 {
		chosen = slices.IndexFunc(page.Tokens, func(t gatehouse.Token) bool { return t.Access == needs || t.Access == gatehouse.ReadWrite })
	}
	page.Token = page.Tokens[max(chosen, 0)]
	return nil
}

// testIntegration sends a sample through the access endpoint with the chosen token, as the signed-in user, whose use of the secret is
// recorded. Only the endpoint's own URL is asked, so the console cannot be made to reach for others.
func (c *console) testIntegration(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.RevealTokens); err != nil {
		return err
	}
	page, err := c.integration(r, actor)
	if err != nil {
		return err
	}
	if page.Token.ID == "" || page.Token.ID != r.PostFormValue("token") {
		page.TestError = "the access token is not there any more, so nothing was tested; choose another"
		return c.show(w, r, http.StatusConflict, page)
	}
	if _, running := c.tests.LoadOrStore(actor.ID, nil); running {
		page.TestError = "a test that you began is still running; wait until it ends, and try again"
		return c.show(w, r, http.StatusConflict, page)
	}
	defer c.tests.Delete(actor.ID)
	value, err := c.Control.RevealToken(r.Context(), actor, page.Token.ID)
	if err != nil {
		return err
	}
	urls := snippet.URLsOf(c.snippetInput(page.Deployment, page.Token, ""))
	page.Steps = probe.Prober{}.Run(r.Context(), probe.Target{
		ImportURL: urls.Import, QueryURL: urls.Query, Secret: value.Reveal(), State: page.Deployment.State,
	})
	for _, s := range page.Steps {
		if s.Cause != nil {
			c.Log.Info("a test of an access token failed", "deployment", page.Deployment.Name, "token", page.Token.ID, "step", s.Title, "error", s.Cause)
		}
	}
	return c.show(w, r, http.StatusOK, page)
}
