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
	DeploymentsEventsURL = "/deployments/events"
)

// SignInThenURL is the sign-in page that leads on to next.
func SignInThenURL(next string) string {
	if next == "" || next == HomeURL {
		return SignInURL
	}
	return SignInURL + "?next=" + url.QueryEscape(next)
}

// DeploymentURL is a deployment's Overview.
func DeploymentURL(id string) string { return DeploymentsURL + "/" + url.PathEscape(id) }

// EventsURL tells of changes of a deployment.
func EventsURL(id string) string { return DeploymentURL(id) + "/events" }

// DeleteDeploymentURL asks, and deletes.
func DeleteDeploymentURL(id string) string { return DeploymentURL(id) + "/delete" }

// TokensURL is a deployment's Access tokens.
func TokensURL(id string) string { return DeploymentURL(id) + "/tokens" }

// NewTokenURL is the form that generates a token.
func NewTokenURL(id string) string { return TokensURL(id) + "/new" }

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
	if len(v) == 0 {
		return TokensURL(q.DeploymentID)
	}
	return TokensURL(q.DeploymentID) + "?" + v.Encode()
}
