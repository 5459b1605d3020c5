package api

import (
	"io"
	"net/http"

	"gatehouse/internal/gatehouse"
)

const ruleMedia = "application/yaml"

func (a *api) listRuleFiles(c call[none]) ([]string, error) {
	d, err := c.deployment(a)
	if err != nil {
		return nil, err
	}
	files, err := a.Control.RuleFiles(c.ctx, c.actor, d.ID)
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names, err
}

// getRuleFile answers with the bytes of the upload.
func (a *api) getRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := a.findDeployment(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := a.Control.RuleFile(r.Context(), actor, d.ID, r.PathValue("name"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", ruleMedia)
	_, _ = w.Write(f.Content) // the client has gone: nobody is left to tell
	return nil
}

// putRuleFile takes the raw bytes of a file, never a form: the documented curl sends them as application/x-www-form-urlencoded.
func (a *api) putRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := a.findDeployment(r.Context(), actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	content, err := io.ReadAll(r.Body) // which is in memory
	if err != nil {
		return err
	}
	if err := a.Control.PutRuleFile(r.Context(), actor, d.ID, r.PathValue("name"), content); err != nil {
		return err
	}
	return writeJSON(w, none{})
}

func (a *api) deleteRuleFile(c call[none]) (none, error) {
	d, err := c.deployment(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.DeleteRuleFile(c.ctx, c.actor, d.ID, c.path("name"))
}
