package access

import (
	"net/http"

	"gatehouse/internal/gatehouse"
)

// Reader serves a person who reads a deployment through the console, without a token: what a Read token for it would be let to, within
// the limits of a token. A nil tenant is any tenant. The person is named in the access log.
//
// Whoever holds the handler must see to it that nobody else reaches it, and that the person still may.
func (h *Handler) Reader(deploymentID, person string, tenant *gatehouse.Tenant) http.Handler {
	g := h.grantWithoutToken(deploymentID, person, Scope{gatehouse.Read, tenant})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serveWithoutToken(w, r, g) })
}

func (h *Handler) grantWithoutToken(deploymentID, person string, scope Scope) *Grant {
	return &Grant{Name: person, scope: scope, deployment: h.table.known(deploymentID)}
}

func (h *Handler) serveWithoutToken(w http.ResponseWriter, r *http.Request, g *Grant) {
	if d := g.deployment; d == nil || h.table.known(d.id) != d { // deleted, and perhaps restored since
		h.refuse(w, r, refuseStopped)
		return
	}
	a, refusal := h.admit(r, g)
	h.answer(w, r, a, refusal)
}

// isToken tells the grant of a token from that of a Reader or an Evaluator.
func (g *Grant) isToken() bool { return g.TokenID != "" }

// known gives nil for a deployment that is not in the table.
func (t *Table) known(deploymentID string) *deployment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.deployments[deploymentID]
}
