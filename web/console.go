// Package web is the console: the pages in which people connect deployments and hand out access tokens. It knows HTTP and calls
// control for everything else; what the pages look like is in package views.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
	"gatehouse/internal/openid"
	"gatehouse/static"
	"gatehouse/views"
)

// Config is what the console is made of. Control, Feed and Log must be set.
type Config struct {
	Control *control.Control
	// Feed wakes open pages.
	Feed *control.Feed
	// AccessEndpointURL is what users copy, such as http://127.0.0.1:8427, without a slash at the end.
	AccessEndpointURL string
	// Activity tells what a token is doing. Nil: nobody knows.
	Activity func(tokenID string) gatehouse.TokenActivity
	// Figures tells what the VictoriaMetrics of a deployment says of itself. Nil: nobody knows.
	Figures func(deploymentID string) (gatehouse.Figures, error)
	// RulesProblem says what keeps the rules of a deployment from being evaluated, or their alerts from the notifier, or is "". Nil: nothing is ever said.
	RulesProblem func(deploymentID string) string
	// Charts gives what Monitoring shows. Nil: nothing is kept.
	Charts func(ctx context.Context, scope gatehouse.ChartScope, period gatehouse.Period) (gatehouse.Charts, error)
	// TrashRetention is how long a deleted managed deployment can be restored.
	TrashRetention time.Duration
	// Explore reads a deployment for a person who is signed in; a tenant goes with a cluster. Nil: there is nothing to explore.
	Explore func(deploymentID, person string, tenant *gatehouse.Tenant) http.Handler
	// ConsoleURL is the console as browsers reach it, without a slash at the end, for links that people pass on. Empty: as each
	// request says.
	ConsoleURL string
	// Load tells how busy the access endpoint is. Nil: nobody knows.
	Load func() gatehouse.EndpointLoad
	// EngineAvailable says whether managed deployments of a type can run here; its error says what to do when not. Nil: they can.
	EngineAvailable func(gatehouse.DeploymentType) error
	// OpenID signs people in through an identity provider. Nil: there is none.
	OpenID *openid.Provider
	// OpenIDLabel is what the sign-in page calls the provider, such as "Okta".
	OpenIDLabel string
	// Setup opens the page that makes the first admin. Nil: there is no such page.
	Setup *Setup
	// TrustedProxies may say in X-Forwarded-For from where a person comes, for the audit log and against guessing. Nil: none.
	TrustedProxies []netip.Prefix
	// SecureCookies marks cookies Secure on plain http too, for a proxy that speaks TLS and does not say so in X-Forwarded-Proto.
	SecureCookies bool
	// APIDocument describes the management API, for its documentation.
	APIDocument openapi.Document
	Log         *slog.Logger
	// Version is Gatehouse's own, as the sidebar shows it. Empty: none is shown.
	Version string
}

// console is the handler of all pages.
type console struct {
	Config
	sessions *sessionStore
	frames   frames
	tests    sync.Map // IDs of the users who have a test running
}

// New makes the console's handler. Serve it with NewServer.
func New(config Config) http.Handler {
	c := &console{Config: config, sessions: &sessionStore{config.Control, config.TrustedProxies, config.SecureCookies}}
	return c.withFrames(withRecovery(c, withSecurityHeaders(withCrossOriginProtection(c, c.routes()))))
}

// routes lists every URL of the console.
func (c *console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	anyone := func(pattern string, h handler) { mux.Handle(pattern, c.anyone(h)) }
	user := func(pattern string, h userHandler) { mux.Handle(pattern, c.user(h)) }

	mux.Handle("GET "+static.Prefix, static.Handler())

	anyone("GET /sign-in", c.signInPage)
	anyone("POST /sign-in", c.signIn)
	anyone("GET "+views.OpenIDURL, c.beginOpenID)
	anyone("GET "+views.OpenIDURL+"/callback", c.finishOpenID)
	anyone("GET /setup", c.setupPage)
	anyone("POST /setup", c.setUp)
	anyone("GET /invite", c.invitePage)
	anyone("POST /invite", c.acceptInvite)
	anyone("POST /theme", c.setTheme)
	anyone("GET "+views.APIDocsURL, c.apiDocsPage)
	user("POST /sign-out", c.signOut)

	user("GET /{$}", c.home)
	c.deploymentRoutes(user)
	mux.Handle("POST /deployments/{deployment}/rules/new", c.upload(c.addRuleFile))
	mux.Handle("POST /deployments/{deployment}/rules/files/{file}", c.upload(c.saveRuleFile))
	c.integrationRoutes(user)
	c.organizationRoutes(user)
	c.profileRoutes(user)

	anyone("/", c.notFound)
	return mux
}

func (c *console) deploymentRoutes(user func(pattern string, h userHandler)) {
	user("GET /deployments", c.deploymentsPage)
	user("GET /deployments/events", c.allEvents)
	user("GET /deployments/create", c.createDeploymentDialog)
	user("POST /deployments/create", c.createDeployment)
	user("POST /deployments/create/code", c.createDeploymentCode)
	user("GET /deployments/connect", c.connectDeploymentDialog)
	user("POST /deployments/connect", c.connectDeployment)
	user("POST /deployments/connect/code", c.connectDeploymentCode)

	user("GET /deployments/{deployment}", c.overviewPage)
	user("GET /deployments/{deployment}/events", c.deploymentEvents)
	user("GET /deployments/{deployment}/delete", c.deleteDeploymentDialog)
	user("POST /deployments/{deployment}/delete", c.deleteDeployment)
	user("GET /deployments/{deployment}/stop", c.stopDeploymentDialog)
	user("POST /deployments/{deployment}/stop", c.stopDeployment)
	user("POST /deployments/{deployment}/start", c.startDeployment)
	user("GET /deployments/{deployment}/settings", c.settingsPage)
	user("POST /deployments/{deployment}/settings", c.saveSettings)
	user("POST /deployments/{deployment}/settings/preview", c.previewSettings)
	user("POST /deployments/{deployment}/settings/code", c.settingsCode)

	user("GET /trash", c.trashPage)
	user("GET /trash/{deleted}/restore", c.restoreDialog)
	user("POST /trash/{deleted}/restore", c.restore)
	user("GET /trash/{deleted}/free", c.freeDialog)
	user("POST /trash/{deleted}/free", c.free)

	user("GET /deployments/{deployment}/tokens", c.tokensPage)
	user("POST /deployments/{deployment}/tokens", c.generateToken)
	user("GET /deployments/{deployment}/tokens/new", c.newTokenDialog)
	user("POST /deployments/{deployment}/tokens/code", c.newTokenCode)
	user("GET /deployments/{deployment}/tokens/{token}", c.tokenPage)
	user("GET /deployments/{deployment}/tokens/{token}/data", c.tokenData)
	user("POST /deployments/{deployment}/tokens/{token}/secret", c.revealToken)
	user("GET /deployments/{deployment}/tokens/{token}/examples", c.examplesDialog)
	user("POST /deployments/{deployment}/tokens/{token}/examples/{example}", c.revealExample)
	user("GET /deployments/{deployment}/tokens/{token}/delete", c.deleteTokenDialog)
	user("POST /deployments/{deployment}/tokens/{token}/delete", c.deleteToken)

	user("GET /deployments/{deployment}/monitoring", c.monitoringPage)
	user("GET /deployments/{deployment}/monitoring/data", c.monitoringData)

	user("GET /deployments/{deployment}/explore", c.explorePage)

	user("GET /deployments/{deployment}/rules", c.rulesPage)
	user("GET /deployments/{deployment}/rules/new", c.newRuleFilePage)
	user("POST /deployments/{deployment}/rules/notifier", c.setNotifier)
	user("GET /deployments/{deployment}/rules/files/{file}", c.ruleFilePage)
	user("GET /deployments/{deployment}/rules/files/{file}/delete", c.deleteRuleFileDialog)
	user("POST /deployments/{deployment}/rules/files/{file}/delete", c.deleteRuleFile)
	user("GET /deployments/{deployment}/logs", c.logsPage)

	user("GET /deployments/{deployment}/audit", c.deploymentAuditPage)
	user("GET /deployments/{deployment}/audit/export", c.exportDeploymentAudit)
}

func (c *console) integrationRoutes(user func(pattern string, h userHandler)) {
	user("GET /integrations", c.integrationsPage)
	user("GET /integrations/{guide}", c.integrationPage)
	user("POST /integrations/{guide}/test", c.testIntegration)
}

func (c *console) organizationRoutes(user func(pattern string, h userHandler)) {
	user("GET /audit", c.auditPage)
	user("GET /audit/export", c.exportAudit)

	user("GET /users", c.usersPage)
	user("GET /users/invite", c.inviteUserDialog)
	user("POST /users/invite", c.inviteUser)
	user("GET /users/{user}/{action}", c.userDialog)
	user("POST /users/{user}/{action}", c.changeUser)

	user("GET /api-keys", c.apiKeysPage)
	user("GET /api-keys/create", c.newAPIKeyDialog)
	user("POST /api-keys/create", c.createAPIKey)
	user("GET /api-keys/{key}", c.apiKeyDialog)
	user("POST /api-keys/{key}/secret", c.revealAPIKey)
	user("POST /api-keys/{key}/example", c.revealAPIKeyExample)
	user("GET /api-keys/{key}/revoke", c.revokeAPIKeyDialog)
	user("POST /api-keys/{key}/revoke", c.revokeAPIKey)
}

func (c *console) profileRoutes(user func(pattern string, h userHandler)) {
	user("GET /profile", c.profilePage)
	user("POST /profile/password", c.changePassword)
	user("POST /profile/sessions/end-others", c.endOtherSessions)
	user("POST /profile/sessions/{session}/end", c.endSession)
}

func (c *console) home(w http.ResponseWriter, r *http.Request, _ gatehouse.Actor) error {
	return redirect(w, r, views.DeploymentsURL)
}

func (c *console) notFound(http.ResponseWriter, *http.Request) error { return noSuchPage() }

func noSuchPage() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no such page; the address may be mistyped, or what it showed may have been deleted")
}

// noEngine is why managed deployments of the type cannot run here, or "".
func (c *console) noEngine(t gatehouse.DeploymentType) string {
	if c.EngineAvailable == nil {
		return ""
	}
	return gatehouse.ErrorMessage(c.EngineAvailable(t))
}
