package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

// deployment finds the deployment that the URL names.
func (c *console) deployment(r *http.Request, actor gatehouse.Actor) (gatehouse.Deployment, error) {
	return c.Control.Deployment(r.Context(), actor, r.PathValue("deployment"))
}

func (c *console) deploymentsPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	all, err := c.Control.Deployments(r.Context(), actor)
	if err != nil {
		return err
	}
	page := views.DeploymentsPage{
		EndpointURL: c.AccessEndpointURL,
		MayChange:   actor.Can(gatehouse.ChangeDeployments),
		NoEngine:    c.noEngine(gatehouse.SingleNode),
	}
	if page.MayChange {
		deleted, err := c.Control.Trash(r.Context(), actor)
		if err != nil {
			return err
		}
		page.Trash = len(deleted)
	}
	for _, d := range all {
		card := views.DeploymentCard{Deployment: d, Figures: c.figures(d.ID), RulesProblem: c.rulesProblem(actor, d.ID), Tokens: -1}
		if actor.Can(gatehouse.ViewTokens) {
			if card.Tokens, err = c.countTokens(r, actor, d.ID); err != nil {
				return err
			}
		}
		page.Deployments = append(page.Deployments, card)
	}
	return c.show(w, r, http.StatusOK, page)
}

func (c *console) countTokens(r *http.Request, actor gatehouse.Actor, deploymentID string) (int, error) {
	_, total, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{DeploymentID: deploymentID, Limit: 1})
	return total, err
}

func (c *console) overviewPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	page := views.OverviewPage{
		Deployment:   d,
		EndpointURL:  c.AccessEndpointURL,
		MayChange:    actor.Can(gatehouse.ChangeDeployments),
		Figures:      c.figures(d.ID),
		LastLines:    c.lastLines(r, actor, d),
		RulesProblem: c.rulesProblem(actor, d.ID),
		Sees:         views.SeesOf(actor),
	}
	if page.Sees.Tokens {
		if err := c.addTokens(r, actor, &page); err != nil {
			return err
		}
	}
	return c.show(w, r, http.StatusOK, page)
}

// figures are those of a deployment's VictoriaMetrics. They are not known of one that is just being made or deleted.
func (c *console) figures(deploymentID string) gatehouse.Figures {
	if c.Figures == nil {
		return gatehouse.Figures{}
	}
	f, _ := c.Figures(deploymentID)
	return f
}

// addTokens shows which token was used last or, as long as none was, one to send with: the oldest, which came with the deployment.
func (c *console) addTokens(r *http.Request, actor gatehouse.Actor, page *views.OverviewPage) error {
	last, total, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{
		DeploymentID: page.Deployment.ID, Sort: gatehouse.SortByLastUsed, Descending: true, Limit: 1,
	})
	if err != nil || total == 0 {
		return err
	}
	page.Tokens = total
	if last[0].LastUse != nil {
		page.LastUsed = &last[0]
		page.First, err = c.firstUsedLately(r, actor, page.Deployment.ID)
		return err
	}
	oldest, _, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{DeploymentID: page.Deployment.ID, Sort: gatehouse.SortByCreated, Limit: 1})
	if len(oldest) > 0 && oldest[0].Access.CanWrite() && !oldest[0].Broken {
		page.Default = &oldest[0]
	}
	return err
}

const (
	lately            = 5 * time.Minute // how long a first use is news
	mostFirstUsesShow = 2
)

// firstUsedLately gives the tokens whose first use is news.
func (c *console) firstUsedLately(r *http.Request, actor gatehouse.Actor, deploymentID string) ([]gatehouse.Token, error) {
	tokens, _, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{
		DeploymentID: deploymentID, Sort: gatehouse.SortByFirstUsed, Descending: true, Limit: mostFirstUsesShow,
	})
	return slices.DeleteFunc(tokens, func(t gatehouse.Token) bool { return t.FirstUse == nil || time.Since(t.FirstUse.At) >= lately }), err
}

func (c *console) connectDeploymentDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := views.ConnectDeploymentDialog{Type: gatehouse.SingleNode}
	if r.FormValue("type") == string(gatehouse.Cluster) {
		form.Type = gatehouse.Cluster
	}
	return c.showConnect(w, r, http.StatusOK, form)
}

// showConnect completes the form with the code that does the same.
func (c *console) showConnect(w http.ResponseWriter, r *http.Request, status int, form views.ConnectDeploymentDialog) error {
	n, err := newConnected(form)
	if err != nil {
		n.MaxConcurrentRequests = 0 // what is wrong with it stands beside its field
	}
	form.Code = snippet.ConnectDeployment(c.origin(r), n)
	return c.show(w, r, status, form)
}

// connectDeploymentCode shows the form again, with the code for what is entered.
func (c *console) connectDeploymentCode(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := connectForm(r)
	form.Open = true
	return c.showConnect(w, r, http.StatusOK, form)
}

func connectForm(r *http.Request) views.ConnectDeploymentDialog {
	return views.ConnectDeploymentDialog{
		Name:                  strings.TrimSpace(r.PostFormValue("name")),
		Type:                  gatehouse.DeploymentType(r.PostFormValue("type")),
		URL:                   r.PostFormValue("url"),
		InsertURL:             r.PostFormValue("insert_url"),
		SelectURL:             r.PostFormValue("select_url"),
		MaxConcurrentRequests: strings.TrimSpace(r.PostFormValue("max_concurrent_requests")),
		Upstream: gatehouse.Upstream{
			Username: strings.TrimSpace(r.PostFormValue("upstream_username")),
			Password: r.PostFormValue("upstream_password"),
			Bearer:   strings.TrimSpace(r.PostFormValue("upstream_bearer")),
			CA:       strings.TrimSpace(r.PostFormValue("upstream_ca")),
			Cert:     strings.TrimSpace(r.PostFormValue("upstream_cert")),
			Key:      strings.TrimSpace(r.PostFormValue("upstream_key")),
		},
	}
}

func (c *console) connectDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	form := connectForm(r)
	n, err := newConnected(form)
	var d gatehouse.Deployment
	if err == nil {
		d, err = c.Control.ConnectDeployment(r.Context(), actor, n)
	}
	if isMade(d, err) {
		return redirect(w, r, views.DeploymentURL(d.ID))
	}
	if isFormError(err) {
		form.Error = views.FormErrorOf(err)
		return c.showConnect(w, r, statusOf(err), form)
	}
	return err
}

// newConnected reads the form. What was typed into the fields of the other type is left out: they are not shown.
func newConnected(form views.ConnectDeploymentDialog) (gatehouse.NewDeployment, error) {
	n := gatehouse.NewDeployment{Name: form.Name, Type: form.Type, Upstream: form.Upstream}
	if form.Type == gatehouse.Cluster {
		n.InsertURLs, n.SelectURLs = strings.Fields(form.InsertURL), strings.Fields(form.SelectURL)
	} else {
		n.URLs = strings.Fields(form.URL)
	}
	if form.MaxConcurrentRequests != "" {
		limit, err := strconv.Atoi(form.MaxConcurrentRequests)
		if err != nil || limit < 1 {
			return n, gatehouse.InvalidField("max_concurrent_requests", "the limit of concurrent requests is not a number from 1 to %d; correct it or leave it empty", gatehouse.MostConcurrentRequests)
		}
		n.MaxConcurrentRequests = limit
	}
	return n, nil
}

// isMade reports whether d was made. One that is stored, but not in force yet, is.
func isMade(d gatehouse.Deployment, err error) bool { return err == nil || d.ID != "" }

func (c *console) deleteDeploymentDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.deletion(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, dialog)
}

func (c *console) deleteDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.deletion(r, actor)
	if err != nil {
		return err
	}
	if err = checkTyped(dialog.Typed, dialog.Deployment.Name); err == nil {
		err = c.Control.DeleteDeployment(r.Context(), actor, dialog.Deployment.ID)
	}
	switch {
	case err == nil:
		return redirect(w, r, views.DeploymentsURL)
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	return err
}

// deletion is the dialog before a deployment is deleted, with what was typed into it.
func (c *console) deletion(r *http.Request, actor gatehouse.Actor) (views.DeleteDeploymentDialog, error) {
	d, err := c.changeable(r, actor)
	if err != nil {
		return views.DeleteDeploymentDialog{}, err
	}
	tokens, err := c.countTokens(r, actor, d.ID)
	return views.DeleteDeploymentDialog{Deployment: d, Tokens: tokens, Kept: c.TrashRetention, Typed: strings.TrimSpace(r.PostFormValue("confirm"))}, err
}

// mayChangeDeployments keeps forms from those whose input control would refuse.
func mayChangeDeployments(actor gatehouse.Actor) error {
	return may(actor, gatehouse.ChangeDeployments)
}

func may(actor gatehouse.Actor, right gatehouse.Right) error {
	if !actor.Can(right) {
		return gatehouse.Errorf(gatehouse.Forbidden, "your role %q may not %s; ask an admin", actor.Role, right)
	}
	return nil
}
