package views

import (
	"net/url"
	"strconv"

	"gatehouse/internal/gatehouse"
)

// The console's URLs. Handlers and components take them from here only.
const (
	HomeURL              = "/"
	SignInURL            = "/sign-in"
	SignOutURL           = "/sign-out"
	SetupURL             = "/setup"
	ThemeURL             = "/theme"
	DeploymentsURL       = "/deployments"
	CreateURL            = "/deployments/create"
	ConnectURL           = "/deployments/connect"
	ConnectClusterURL    = ConnectURL + "?type=cluster"
	DeploymentsEventsURL = "/deployments/events"
)

// SignInThenURL is the sign-in page that leads on to next.
func SignInThenURL(next string) string {
	if next == "" || next == HomeURL {
		return SignInURL
	}
	return SignInURL + "?next=" + url.QueryEscape(next)
}

// OpenIDURL begins to sign in through the identity provider, which leads back to a page below it.
const OpenIDURL = SignInURL + "/openid"

// OpenIDThenURL is OpenIDURL with the page to go to afterwards.
func OpenIDThenURL(next string) string { return OpenIDURL + "?next=" + url.QueryEscape(next) }

// DeploymentURL is a deployment's Overview.
func DeploymentURL(id string) string { return DeploymentsURL + "/" + url.PathEscape(id) }

// EventsURL tells of changes of a deployment.
func EventsURL(id string) string { return DeploymentURL(id) + "/events" }

// DeleteDeploymentURL asks, and deletes.
func DeleteDeploymentURL(id string) string { return DeploymentURL(id) + "/delete" }

// StopDeploymentURL asks, and stops.
func StopDeploymentURL(id string) string { return DeploymentURL(id) + "/stop" }

// StartDeploymentURL starts a stopped deployment, by POST.
func StartDeploymentURL(id string) string { return DeploymentURL(id) + "/start" }

// SettingsURL is a deployment's Settings.
func SettingsURL(id string) string { return DeploymentURL(id) + "/settings" }

// SettingsSavedURL is SettingsURL after they were changed.
func SettingsSavedURL(id string) string { return SettingsURL(id) + "?saved=1" }

// SettingsPreviewURL tells what the entered settings would change, by POST.
func SettingsPreviewURL(id string) string { return SettingsURL(id) + "/preview" }

// SettingsCodeURL gives the form of the settings, with the code that does the same.
func SettingsCodeURL(id string) string { return SettingsURL(id) + "/code" }

// TrashURL lists the deleted deployments that can be restored. It stands beside the deployments, so that none is hidden by its name.
const TrashURL = "/trash"

// RestoreURL asks, and restores a deleted deployment.
func RestoreURL(id string) string { return TrashURL + "/" + url.PathEscape(id) + "/restore" }

// FreeURL asks, and frees the data of a deleted deployment.
func FreeURL(id string) string { return TrashURL + "/" + url.PathEscape(id) + "/free" }

// TokensURL is a deployment's Access tokens.
func TokensURL(id string) string { return DeploymentURL(id) + "/tokens" }

// NewTokenURL is the form that generates a token.
func NewTokenURL(id string) string { return TokensURL(id) + "/new" }

// tokenAuditURL shows all that is recorded of a token.
func tokenAuditURL(t gatehouse.Token) string {
	return DeploymentAuditURL(t.DeploymentID) + "?text=" + url.QueryEscape(t.ID)
}

// TokenURL is a token's page.
func TokenURL(t gatehouse.Token, p gatehouse.Period) string { return overPeriod(tokenURL(t), p) }

// TokenDataURL gives what a token's page draws, as JSON.
func TokenDataURL(t gatehouse.Token, p gatehouse.Period) string {
	return overPeriod(tokenURL(t)+"/data", p)
}

func tokenURL(t gatehouse.Token) string {
	return TokensURL(t.DeploymentID) + "/" + url.PathEscape(t.ID)
}

// ExamplesURL shows how to use a token.
func ExamplesURL(t gatehouse.Token) string { return tokenURL(t) + "/examples" }

// GeneratedURL is ExamplesURL for a token that was just made.
func GeneratedURL(t gatehouse.Token) string { return ExamplesURL(t) + "?generated=1" }

// ExampleURL gives one example with the real secret, by POST.
func ExampleURL(t gatehouse.Token, example string) string {
	return ExamplesURL(t) + "/" + url.PathEscape(example)
}

// SecretURL gives a token's secret, by POST.
func SecretURL(t gatehouse.Token) string { return tokenURL(t) + "/secret" }

// DeleteTokenURL asks, and deletes.
func DeleteTokenURL(t gatehouse.Token) string { return tokenURL(t) + "/delete" }

// usualOrder is the newest tokens first.
func usualOrder(q gatehouse.TokenQuery) bool {
	return q.Sort == gatehouse.SortByCreated && q.Descending
}

// tokensURL is TokensURL with what the viewer chose to see.
func tokensURL(q gatehouse.TokenQuery, page int) string {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("search", q.Search)
	set("access", string(q.Access))
	if !usualOrder(q) {
		set("sort", string(q.Sort))
		if q.Descending {
			v.Set("order", "desc")
		}
	}
	if page > 1 {
		v.Set("page", strconv.Itoa(page))
	}
	return withQuery(TokensURL(q.DeploymentID), v)
}

func withQuery(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// The pages of the organization, and those of the viewer.
const (
	UsersURL           = "/users"
	InviteUserURL      = "/users/invite"
	APIKeysURL         = "/api-keys"
	CreateAPIKeyURL    = "/api-keys/create"
	AuditURL           = "/audit"
	ProfileURL         = "/profile"
	PasswordURL        = "/profile/password"
	PasswordChangedURL = "/profile?changed=1"
	EndOthersURL       = "/profile/sessions/end-others"
	InviteURL          = "/invite"
	APIDocsURL         = "/api-docs"
)

// InviteCodeURL is the one-time link by which a user chooses a password.
func InviteCodeURL(code string) string { return InviteURL + "?code=" + url.QueryEscape(code) }

// UserURL asks about a user, and does it: the action is one of UserActions.
func UserURL(id string, action UserAction) string {
	return UsersURL + "/" + url.PathEscape(id) + "/" + string(action)
}

// APIKeyURL shows how to use an API key.
func APIKeyURL(id string) string { return APIKeysURL + "/" + url.PathEscape(id) }

// APIKeyCreatedURL is APIKeyURL for a key that was just made.
func APIKeyCreatedURL(id string) string { return APIKeyURL(id) + "?created=1" }

// APIKeySecretURL gives the key itself, by POST.
func APIKeySecretURL(id string) string { return APIKeyURL(id) + "/secret" }

// APIKeyExampleURL gives the example with the key itself, by POST.
func APIKeyExampleURL(id string) string { return APIKeyURL(id) + "/example" }

// RevokeAPIKeyURL asks, and revokes.
func RevokeAPIKeyURL(id string) string { return APIKeyURL(id) + "/revoke" }

// EndSessionURL ends one of the viewer's sessions.
func EndSessionURL(id string) string { return ProfileURL + "/sessions/" + url.PathEscape(id) + "/end" }

// DeploymentAuditURL is a deployment's part of the audit log.
func DeploymentAuditURL(id string) string { return DeploymentURL(id) + "/audit" }

// TokenCodeURL gives the form that generates a token, with the code that does the same.
func TokenCodeURL(deploymentID string) string { return TokensURL(deploymentID) + "/code" }

// CreateCodeURL and ConnectCodeURL do that for the forms that make a deployment.
const (
	CreateCodeURL  = CreateURL + "/code"
	ConnectCodeURL = ConnectURL + "/code"
)

// IntegrationsURL is the gallery of guides.
const IntegrationsURL = "/integrations"

// IntegrationURL is one guide.
func IntegrationURL(guide string) string { return IntegrationsURL + "/" + url.PathEscape(guide) }

// IntegrationTestURL tests a token, by POST, and shows the guide with the result.
func IntegrationTestURL(guide string) string { return IntegrationURL(guide) + "/test" }

// MonitoringURL is a deployment's Monitoring.
func MonitoringURL(id string, p gatehouse.Period) string { return overPeriod(monitoringURL(id), p) }

// MonitoringDataURL gives what Monitoring draws, as JSON.
func MonitoringDataURL(id string, p gatehouse.Period) string {
	return overPeriod(monitoringURL(id)+"/data", p)
}

func monitoringURL(id string) string { return DeploymentURL(id) + "/monitoring" }

// overPeriod leaves out the period that is looked at first.
func overPeriod(path string, p gatehouse.Period) string {
	if p == gatehouse.LastHour {
		return path
	}
	return path + "?period=" + string(p)
}

// ExploreURL is a deployment's Explore.
func ExploreURL(id string) string { return DeploymentURL(id) + "/explore" }

// FramesURL stands before all that frames of Explore ask for. It must not lead into any other part of the console.
const FramesURL = "/explore/"

// FrameURL is where vmui begins, for the key of a frame.
func FrameURL(key string) string { return FramesURL + key + "/prometheus/vmui/" }

// RulesURL is a deployment's Rules.
func RulesURL(id string) string { return DeploymentURL(id) + "/rules" }

// NewRuleFileURL is the form of another rule file.
func NewRuleFileURL(id string) string { return RulesURL(id) + "/new" }

// RuleFileURL is the form of a rule file.
func RuleFileURL(id, name string) string { return RulesURL(id) + "/files/" + url.PathEscape(name) }

// DeleteRuleFileURL asks, and deletes.
func DeleteRuleFileURL(id, name string) string { return RuleFileURL(id, name) + "/delete" }

// NotifierURL sets the notifier, by POST.
func NotifierURL(id string) string { return RulesURL(id) + "/notifier" }

// NotifierSavedURL is RulesURL after the notifier was changed.
func NotifierSavedURL(id string) string { return RulesURL(id) + "?saved=1" }

// LogsURL is a deployment's Logs.
func LogsURL(id string) string { return DeploymentURL(id) + "/logs" }

// LogURL is LogsURL with what the viewer chose to see.
func LogURL(id string, log gatehouse.LogName, search string, paused bool) string {
	v := url.Values{"log": {string(log)}}
	if search != "" {
		v.Set("search", search)
	}
	if paused {
		v.Set("pause", "1")
	}
	return withQuery(LogsURL(id), v)
}
