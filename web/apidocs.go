package web

import (
	"net/http"

	"gatehouse/views"
)

// apiDocsPage is for anyone: it holds nothing that the source does not.
func (c *console) apiDocsPage(w http.ResponseWriter, r *http.Request) error {
	_, err := c.sessions.actor(r)
	return c.show(w, r, http.StatusOK, views.APIDocsPage{Document: c.APIDocument, Origin: c.origin(r), SignedIn: err == nil})
}
