package access

import (
	"net/http"
	"slices"

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

// Evaluator serves the vmalert that evaluates the rules of a deployment, within the limits of a token. Rules of a cluster see the tenant
// 0:0 and are recorded there: only VictoriaMetrics Enterprise has rules that choose their tenant,
// https://docs.victoriametrics.com/victoriametrics/vmalert/#multitenancy.
//
// Whoever holds the handler must see to it that nobody else reaches it.
func (h *Handler) Evaluator(deploymentID string) http.Handler {
	g := h.grantWithoutToken(deploymentID, "", Scope{gatehouse.ReadWrite, new(gatehouse.Tenant)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !slices.Contains(evaluatorPaths, r.URL.Path) {
			h.refuse(w, r, refuseShut)
			return
		}
		h.serveWithoutToken(w, r, g)
	})
}

// evaluatorPaths are all that vmalert asks for, with -datasource.appendTypePrefix, and always by POST.
var evaluatorPaths = []string{"/prometheus/api/v1/query", "/graphite/render", "/prometheus/api/v1/write"}

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

// isEvaluator tells the grant of an Evaluator from that of a Reader, who has a name.
func (g *Grant) isEvaluator() bool { return !g.isToken() && g.Name == "" }

// known gives nil for a deployment that is not in the table.
func (t *Table) known(deploymentID string) *deployment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.deployments[deploymentID]
}
