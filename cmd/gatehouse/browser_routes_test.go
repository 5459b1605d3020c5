package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/static"
	"gatehouse/views"
)

// places are the pages and dialogs of the console, each with the test that uses it as a person would. A scene shows each, see
// TestEveryPageFitsEveryScreen, and TestEveryDialog opens and closes each dialog.
var places = map[string]string{
	"GET /sign-in":  "TestSigningInAndOut",
	"GET /setup":    "TestNewcomerStory",
	"GET /invite":   "TestInvitingAnEditor",
	"GET /api-docs": "TestAPIDocumentation",

	"GET /deployments":                                        "TestCreatingAndDeletingADeployment",
	"GET /deployments/create":                                 "TestLifeOfADeployment",
	"GET /deployments/connect":                                "TestConnectingExistingDeployments",
	"GET /deployments/{deployment}":                           "TestNewcomerStory",
	"GET /deployments/{deployment}/delete":                    "TestCreatingAndDeletingADeployment",
	"GET /deployments/{deployment}/stop":                      "TestLifeOfADeployment",
	"GET /deployments/{deployment}/settings":                  "TestLifeOfADeployment",
	"GET /deployments/{deployment}/monitoring":                "TestMonitoringShowsWhatComes",
	"GET /deployments/{deployment}/explore":                   "TestExploringADeployment",
	"GET /deployments/{deployment}/audit":                     "TestAuditLog",
	"GET /deployments/{deployment}/logs":                      "TestFollowingALog",
	"GET /deployments/{deployment}/rules":                     "TestRulesAreEvaluated",
	"GET /deployments/{deployment}/rules/new":                 "TestRulesAreEvaluated",
	"GET /deployments/{deployment}/rules/files/{file}":        "TestChangingRuleFiles",
	"GET /deployments/{deployment}/rules/files/{file}/delete": "TestChangingRuleFiles",
	"GET /deployments/{deployment}/tokens":                    "TestManyTokens",
	"GET /deployments/{deployment}/tokens/new":                "TestTenantsOfACluster",
	"GET /deployments/{deployment}/tokens/{token}":            "TestTokenPageFromTheTableToItsDeletion",
	"GET /deployments/{deployment}/tokens/{token}/examples":   "TestExamples",
	"GET /deployments/{deployment}/tokens/{token}/delete":     "TestNewcomerStory",
	"GET /trash":                   "TestLifeOfADeployment",
	"GET /trash/{deleted}/restore": "TestLifeOfADeployment",
	"GET /trash/{deleted}/free":    "TestLifeOfADeployment",

	"GET /integrations":         "TestIntegrations",
	"GET /integrations/{guide}": "TestIntegrations",

	"GET /users":                 "TestManagingUsers",
	"GET /users/invite":          "TestInvitingAnEditor",
	"GET /users/{user}/{action}": "TestManagingUsers",
	"GET /api-keys":              "TestAPIKeys",
	"GET /api-keys/create":       "TestAPIKeys",
	"GET /api-keys/{key}":        "TestAPIKeys",
	"GET /api-keys/{key}/revoke": "TestAPIKeys",
	"GET /audit":                 "TestAuditLog",
	"GET /profile":               "TestChangingThePasswordEndsOtherSessions",
}

// noPlaces are what the console answers to GET that is not to look at.
var noPlaces = map[string]string{
	"GET " + static.Prefix:                              "style sheets and scripts",
	"GET /{$}":                                          "leads to the deployments",
	"GET " + views.OpenIDURL:                            "leads to the identity provider",
	"GET " + views.OpenIDURL + "/callback":              "leads on from the identity provider",
	"GET /deployments/events":                           "a stream of events",
	"GET /deployments/{deployment}/events":              "a stream of events",
	"GET /deployments/{deployment}/audit/export":        "a file",
	"GET /deployments/{deployment}/monitoring/data":     "figures for the charts",
	"GET /deployments/{deployment}/tokens/{token}/data": "figures for the charts",
	"GET /audit/export":                                 "a file",
}

// routes are the patterns that the console answers to GET, as its source has them.
func routes(t *testing.T) *http.ServeMux {
	t.Helper()
	names := map[string]string{"static.Prefix": static.Prefix, "views.OpenIDURL": views.OpenIDURL, "views.APIDocsURL": views.APIDocsURL}
	pattern := regexp.MustCompile(`\("GET ([^"]*)"(?:\+(\w+\.\w+)(?:\+"([^"]*)")?)?, (.*)\)`)
	mux := http.NewServeMux()
	files, err := filepath.Glob("../../web/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range pattern.FindAllStringSubmatch(string(source), -1) {
			if m[2] != "" && names[m[2]] == "" {
				t.Errorf("a route of the console begins with %s, which this test does not know", m[2])
				continue
			}
			route := "GET " + m[1] + names[m[2]] + m[3]
			mux.Handle(route, http.NotFoundHandler())
			if (places[route] == "") == (noPlaces[route] == "") {
				t.Errorf("%s must be either among the places of the console, with its test, or among what is none, with the reason", route)
			}
			if strings.HasSuffix(m[4], "Dialog") && len(dialogs[route]) == 0 {
				t.Errorf("%s must be among the dialogs", route)
			}
		}
	}
	return mux
}

// routeOf is the pattern that answers the path, or "".
func routeOf(mux *http.ServeMux, path string) string {
	_, route := mux.Handler(httptest.NewRequest("GET", path, nil))
	return route
}

func TestEveryPlaceOfTheConsoleIsKnown(t *testing.T) {
	t.Parallel()
	mux := routes(t)
	var source strings.Builder
	files, _ := filepath.Glob("*_test.go")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	for _, known := range []map[string]string{places, noPlaces} {
		for route, note := range known {
			path := wild.ReplaceAllString(strings.ReplaceAll(strings.TrimPrefix(route, "GET "), "{$}", ""), "x")
			if got := routeOf(mux, path); got != route {
				t.Errorf("%s is no route of the console: %q answers there", route, got)
			}
			if strings.HasPrefix(note, "Test") && !strings.Contains(source.String(), "func "+note+"(t *testing.T)") {
				t.Errorf("the test %s of %s is gone", note, route)
			}
		}
	}
}

// wantEveryPlace checks that the tabs have shown all pages and dialogs of the console.
func wantEveryPlace(t *testing.T, tabs []*tab) {
	t.Helper()
	mux := routes(t)
	seen := map[string]bool{}
	for _, b := range tabs {
		for path := range b.visits() {
			seen[routeOf(mux, path)] = true
		}
	}
	var unseen []string
	for route := range places {
		if !seen[route] {
			unseen = append(unseen, route)
		}
	}
	slices.Sort(unseen)
	for _, route := range unseen {
		t.Errorf("no scene shows %s", route)
	}
}
