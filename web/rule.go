package web

import (
	"io"
	"net/http"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

const (
	// mostUpload bounds a form with a rule file, in bytes; what a file may hold is for control to say.
	mostUpload = gatehouse.MostRuleBytes + 1<<20
	// mostUploadMemory is how much of it is kept in memory; the rest goes to a temporary file.
	mostUploadMemory = 1 << 20
	// mostEdited is the largest file, in bytes, that a browser gets to edit.
	mostEdited = 1 << 20
)

// upload is user for a form that holds a file. The body is read only when somebody is signed in.
func (c *console) upload(h userHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, mostUpload)
		actor, err := c.sessions.actor(r)
		if err == nil {
			err = may(actor, gatehouse.ChangeRules)
		}
		if err == nil {
			if err = r.ParseMultipartForm(mostUploadMemory); err != nil {
				err = gatehouse.Errorf(gatehouse.Invalid, "the form could not be read; a rule file may have at most %d MB", gatehouse.MostRuleBytes>>20).WithCause(err)
			}
		}
		if err == nil {
			err = h(w, r, actor)
		}
		if err != nil {
			c.fail(w, r, err)
		}
	})
}

func (c *console) rulesPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.rules(r, actor)
	if err != nil {
		return err
	}
	page.Notifier, page.Saved = page.Deployment.NotifierURL, r.FormValue("saved") != ""
	return c.show(w, r, http.StatusOK, page)
}

// rules is the page of rules, without the notifier.
func (c *console) rules(r *http.Request, actor gatehouse.Actor) (views.RulesPage, error) {
	d, err := c.deployment(r, actor)
	if err != nil {
		return views.RulesPage{}, err
	}
	page := views.RulesPage{Deployment: d, Sees: views.SeesOf(actor), MayChange: actor.CanOn(gatehouse.ChangeRules, d.ID)}
	if page.Files, err = c.Control.RuleFiles(r.Context(), actor, d.ID); err != nil {
		return page, err
	}
	page.Evaluation, err = c.Control.Evaluation(r.Context(), actor, d.ID)
	if gatehouse.ErrorCode(err) == gatehouse.Unavailable {
		page.Problem, err = gatehouse.ErrorMessage(err), nil
	}
	return page, err
}

// rulesProblem is what keeps rules from being evaluated or alerts from the notifier, for those who may see it.
func (c *console) rulesProblem(actor gatehouse.Actor, deploymentID string) string {
	if c.RulesProblem == nil || !actor.CanOn(gatehouse.ViewRules, deploymentID) {
		return ""
	}
	return c.RulesProblem(deploymentID)
}

func (c *console) setNotifier(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.rules(r, actor)
	if err != nil {
		return err
	}
	page.Notifier = strings.TrimSpace(r.PostFormValue("notifier_url"))
	err = c.Control.SetNotifier(r.Context(), actor, page.Deployment.ID, page.Notifier)
	switch {
	case err == nil:
		return redirect(w, r, views.NotifierSavedURL(page.Deployment.ID))
	case isFormError(err):
		page.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), page)
	}
	return err
}

// ruleForm is the form of a rule file of the deployment that the URL names.
func (c *console) ruleForm(r *http.Request, actor gatehouse.Actor) (views.RuleFilePage, error) {
	d, err := c.deployment(r, actor)
	return views.RuleFilePage{Deployment: d, Sees: views.SeesOf(actor), MayChange: actor.CanOn(gatehouse.ChangeRules, d.ID)}, err
}

func (c *console) newRuleFilePage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ChangeRules); err != nil {
		return err
	}
	page, err := c.ruleForm(r, actor)
	if err != nil {
		return err
	}
	page.New = true
	return c.show(w, r, http.StatusOK, page)
}

func (c *console) ruleFilePage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.ruleForm(r, actor)
	if err != nil {
		return err
	}
	f, err := c.Control.RuleFile(r.Context(), actor, page.Deployment.ID, r.PathValue("file"))
	if err != nil {
		return err
	}
	page.Name, page.TooLarge = f.Name, len(f.Content) > mostEdited
	if !page.TooLarge {
		page.Content = string(f.Content)
	}
	return c.show(w, r, http.StatusOK, page)
}

func (c *console) addRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.ruleForm(r, actor)
	if err != nil {
		return err
	}
	page.New, page.Name = true, strings.TrimSpace(r.PostFormValue("name"))
	content, uploaded, err := ruleContent(r)
	if err != nil {
		return err
	}
	if page.Name == "" {
		page.Name = uploaded
	}
	err = gatehouse.CheckRuleFileName(page.Name)
	if err == nil {
		_, err = c.Control.RuleFile(r.Context(), actor, page.Deployment.ID, page.Name)
		switch {
		case err == nil:
			err = gatehouse.InvalidField("name", "there is a rule file of this name already; choose another name, or change that file")
		case gatehouse.ErrorCode(err) == gatehouse.NotFound:
			err = nil
		}
	}
	return c.putRuleFile(w, r, actor, page, content, err)
}

func (c *console) saveRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	page, err := c.ruleForm(r, actor)
	if err != nil {
		return err
	}
	page.Name = r.PathValue("file")
	content, _, err := ruleContent(r)
	if err != nil {
		return err
	}
	_, err = c.Control.RuleFile(r.Context(), actor, page.Deployment.ID, page.Name)
	return c.putRuleFile(w, r, actor, page, content, err)
}

// putRuleFile stores the file, unless there is an error already, and shows the form again when it is refused.
func (c *console) putRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, page views.RuleFilePage, content []byte, err error) error {
	if err == nil {
		err = c.Control.PutRuleFile(r.Context(), actor, page.Deployment.ID, page.Name, content)
	}
	switch {
	case err == nil:
		return redirect(w, r, views.RulesURL(page.Deployment.ID))
	case isFormError(err):
		page.Error = views.FormErrorOf(err)
		if page.TooLarge = len(content) > mostEdited; !page.TooLarge {
			page.Content = string(content)
		}
		return c.show(w, r, statusOf(err), page)
	}
	return err
}

// ruleContent is the file that was uploaded, with its name, or else the text that was typed.
func ruleContent(r *http.Request) (content []byte, name string, err error) {
	file, header, err := r.FormFile("file")
	if err == nil && header.Filename != "" {
		defer file.Close()
		content, err = io.ReadAll(file)
		if err != nil {
			return nil, "", gatehouse.Errorf(gatehouse.Invalid, "the file could not be read; try again").WithCause(err)
		}
		return content, header.Filename, nil
	}
	// A browser ends the lines of a text area with CRLF, whatever the file had.
	return []byte(strings.ReplaceAll(r.PostFormValue("content"), "\r\n", "\n")), "", nil
}

// deletionOfRules is the question about the rule file that the URL names.
func (c *console) deletionOfRules(r *http.Request, actor gatehouse.Actor) (views.DeleteRuleFileDialog, error) {
	if err := may(actor, gatehouse.ChangeRules); err != nil {
		return views.DeleteRuleFileDialog{}, err
	}
	d, err := c.deployment(r, actor)
	if err != nil {
		return views.DeleteRuleFileDialog{}, err
	}
	f, err := c.Control.RuleFile(r.Context(), actor, d.ID, r.PathValue("file"))
	return views.DeleteRuleFileDialog{Deployment: d, File: f}, err
}

func (c *console) deleteRuleFileDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.deletionOfRules(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, dialog)
}

func (c *console) deleteRuleFile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.deletionOfRules(r, actor)
	if err != nil {
		return err
	}
	err = c.Control.DeleteRuleFile(r.Context(), actor, dialog.Deployment.ID, dialog.File.Name)
	switch {
	case err == nil:
		return redirect(w, r, views.RulesURL(dialog.Deployment.ID))
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	return err
}
