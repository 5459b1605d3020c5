package api

import (
	"net/http"
	"reflect"

	"gatehouse/internal/gatehouse"
)

// route is one line of the API: how it is called, what it is for, and what serves it. The OpenAPI document is made of the same list.
type route struct {
	method, path string
	group        string // heading under which the documentation shows it
	summary      string
	about        string       // more about it, or empty
	in, out      reflect.Type // nil: none
	inMedia      string       // of a body that is not JSON
	outMedia     []string     // of an answer that is not JSON
	mostBody     int64        // limit of the request's body in bytes; 0: none is read
	searches     bool         // may read the whole audit log, which takes long
	serve        keyHandler
	public       httpHandler // serves those who have no key, too
}

// json makes a route of an endpoint.
func jsonRoute[In, Out any](method, path, summary string, f func(call[In]) (Out, error)) route {
	return longJSONRoute(mostJSON, method, path, summary, f)
}

func longJSONRoute[In, Out any](limit int64, method, path, summary string, f func(call[In]) (Out, error)) route {
	r := route{
		method: method, path: Prefix + path, summary: summary, serve: serveJSON(f),
		in: typeUnlessNone[In](), out: typeUnlessNone[Out](),
	}
	if r.takesJSON() {
		r.mostBody = limit
	}
	return r
}

func typeUnlessNone[T any]() reflect.Type {
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[none]() {
		return t
	}
	return nil
}

// hasQuery reports whether the route takes parameters in its address.
func (r route) hasQuery() bool { return r.in != nil && r.method == http.MethodGet }

// takesJSON reports whether the body of a request is a JSON object; that of a POST without input is {}.
func (r route) takesJSON() bool {
	return r.inMedia == "" && (r.method == http.MethodPost || r.in != nil && r.method != http.MethodGet)
}

// explained adds to the summary.
func (r route) explained(about string) route {
	r.about = about
	return r
}

// searching marks a route that may read the whole audit log.
func (r route) searching() route {
	r.searches = true
	return r
}

func group(name string, routes ...route) []route {
	for i := range routes {
		routes[i].group = name
	}
	return routes
}

// routes lists every path of the API.
func (a *api) routes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	const deployment, token, file = "/deployments/{id}", "/deployments/{id}/access_tokens/{tid}", "/deployments/{id}/rule-sets/files/{name}"
	var all []route
	add := func(more []route) { all = append(all, more...) }

	add(group("Catalogue",
		jsonRoute(get, "/cloud_providers", "List the cloud providers", a.cloudProviders),
		jsonRoute(get, "/regions", "List the regions", a.regions),
		jsonRoute(get, "/tiers", "List the tiers", a.tiers),
	))
	add(group("Deployments",
		jsonRoute(get, "/deployments", "List the deployments", a.listDeployments).
			explained("All, or those that the API key is for."),
		jsonRoute(post, "/deployments", "Create a deployment", a.createDeployment).
			explained("Gatehouse runs it. The answer comes at once; the deployment is PROVISIONING until VictoriaMetrics is up, and takes access tokens and rule files all the while."),
		longJSONRoute(mostLongJSON, post, "/deployments/connect", "Connect a deployment", a.connectDeployment).
			explained("Makes a VictoriaMetrics known that runs elsewhere."),
		jsonRoute(get, deployment, "Get a deployment", a.getDeployment),
		jsonRoute(put, deployment, "Update a deployment", a.updateDeployment).
			explained("Replaces all settings but max_concurrent_requests, which stays as it is when it is left out. Of a connected deployment only that and the name can be changed; send the rest as it is."),
		jsonRoute(del, deployment, "Delete a deployment", a.deleteDeployment).
			explained("Its access tokens stop working at once. A managed deployment goes to the trash with its data, and can be restored for 7 days, unless the server is set otherwise."),
		jsonRoute(post, deployment+"/stop", "Stop a deployment", a.stopDeployment).
			explained("Of those that Gatehouse runs. It stays stopped until it is started, data and access tokens stay, and requests with them are answered 503."),
		jsonRoute(post, deployment+"/start", "Start a stopped deployment", a.startDeployment),
		jsonRoute(get, deployment+"/usage", "Get the live figures of a deployment", a.deploymentUsage).
			explained("What VictoriaMetrics says of itself in its metrics, against the limits of the tier. Figures that are not known are null; of a connected deployment, those that its metrics do not tell."),
		jsonRoute(get, deployment+"/logs", "Get the end of a log", a.tailLog).
			explained("Of the programs that Gatehouse runs for it. The oldest line comes first."),
	))
	add(group("Trash",
		jsonRoute(get, "/trash", "List deleted deployments", a.listTrash).
			explained("Those that can be restored, the last deleted first: all, or those that the API key is for."),
		jsonRoute(post, "/trash/{deleted}/restore", "Restore a deployment", a.restoreDeployment).
			explained("With its ID, settings, rule files and data. Its access tokens stay revoked; it gets a new default access token. A moment after it was deleted, VictoriaMetrics may still be stopping; then try again."),
		jsonRoute(del, "/trash/{deleted}", "Free the data of a deleted deployment now", a.freeDeployment).
			explained("For good. Its data is removed within a minute."),
	))
	add(group("Access tokens",
		jsonRoute(get, deployment+"/access_tokens", "List access tokens", a.listTokens),
		jsonRoute(post, deployment+"/access_tokens", "Create an access token", a.createToken).
			explained("It works at once."),
		longJSONRoute(mostLongJSON, post, deployment+"/access_tokens/batch", "Create several access tokens", a.createTokens).
			explained("All or none, up to 1000. The answer has them in the same order."),
		jsonRoute(get, token, "Reveal an access token", a.revealToken).
			explained("This is recorded in the audit log. A read-only API key reveals only access tokens of type r: with others it could write."),
		jsonRoute(del, token, "Delete an access token", a.deleteToken).
			explained("The next request with it fails, and those that are running are cut off."),
		jsonRoute(get, token+"/usage", "Get the first and last use of an access token", a.tokenUsage),
	))
	add(group("Rule files",
		jsonRoute(get, deployment+"/rule-sets/files", "List the names of rule files", a.listRuleFiles),
		route{method: get, path: Prefix + file, summary: "Get a rule file", outMedia: []string{ruleMedia}, serve: a.getRuleFile,
			about: "The very bytes of the upload."},
		route{method: post, path: Prefix + file, summary: "Create or replace a rule file", inMedia: ruleMedia, serve: a.putRuleFile, mostBody: gatehouse.MostRuleBytes,
			about: "The body is the file: recording and alerting rules in the format of Prometheus and VictoriaMetrics, at most 20 MB. All files of a deployment together have at most 100 rules, and no group name twice."},
		jsonRoute(del, file, "Delete a rule file", a.deleteRuleFile),
		jsonRoute(get, deployment+"/rule-sets/evaluation", "Get the states of rules and alerts", a.getEvaluation).
			explained("How the last evaluation of each rule went, and which alerts are firing or pending."),
		jsonRoute(get, deployment+"/notifier", "Get the notifier", a.getNotifier),
		jsonRoute(put, deployment+"/notifier", "Set the notifier", a.setNotifier).
			explained("The Alertmanager that gets the alerts of the deployment's rules."),
	))
	add(group("API keys",
		jsonRoute(get, "/whoami", "Tell whose API key this is", a.whoami),
		jsonRoute(get, "/api_keys", "List the API keys", a.listAPIKeys),
		jsonRoute(post, "/api_keys", "Create an API key", a.createAPIKey),
		jsonRoute(get, "/api_keys/{key}", "Get an API key", a.getAPIKey).
			explained("Without its secret."),
		jsonRoute(post, "/api_keys/{key}/reveal", "Reveal an API key", a.revealAPIKey).
			explained("This is recorded in the audit log."),
		jsonRoute(del, "/api_keys/{key}", "Revoke an API key", a.revokeAPIKey).
			explained("The next request with it fails."),
	))
	add(group("Users",
		jsonRoute(get, "/users", "List the users", a.listUsers),
		jsonRoute(post, "/users", "Invite a user", a.inviteUser).
			explained("The answer holds a one-time link, valid for 7 days, at which they choose a password. Pass it on to them."),
		jsonRoute(get, "/users/{user}", "Get a user", a.getUser),
		jsonRoute(put, "/users/{user}/role", "Change a user's role", a.setRole).
			explained("The last admin keeps theirs."),
		jsonRoute(post, "/users/{user}/password_link", "Make a link for a new password", a.passwordLink).
			explained("A one-time link, valid for 24 hours. A former link stops working; the former password works until then."),
		jsonRoute(post, "/users/{user}/disable", "Disable a user", a.disableUser).
			explained("They are shut out at once, also where they are signed in."),
		jsonRoute(post, "/users/{user}/enable", "Enable a user", a.enableUser),
		jsonRoute(del, "/users/{user}", "Delete a user", a.deleteUser),
	))
	add(group("Audit log",
		jsonRoute(get, "/audit", "List audit records", a.listAudit).
			explained("The newest first. An API key for some deployments sees the records of those.").searching(),
		route{method: get, path: Prefix + "/audit/export", summary: "Export audit records", in: reflect.TypeFor[auditExport](), outMedia: []string{jsonlMedia, csvMedia},
			serve: a.exportAudit, searches: true, about: "All that the filters choose, the oldest first, as a file. The export is itself recorded."},
	))
	add(group("This document",
		route{method: get, path: Prefix + "/openapi.json", summary: "Get the OpenAPI document", out: reflect.TypeFor[openapiDocument](), public: a.openapi,
			about: "Needs no API key."},
	))
	return all
}
