package main

import (
	"os"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openid"
	"gatehouse/views"
)

// openIDFlags are those of the identity provider. The client secret is read from a file: every user of the machine sees arguments.
type openIDFlags struct {
	Issuer           string   `help:"URL of an OpenID Connect provider through which people may sign in. Default: none." placeholder:"URL"`
	ClientID         string   `help:"Client ID of Gatehouse at the provider." placeholder:"ID"`
	ClientSecretFile string   `help:"File with the client secret. Default: a public client without one." placeholder:"FILE"`
	Label            string   `help:"What the sign-in page calls the provider." default:"single sign-on" placeholder:"NAME"`
	Scopes           []string `help:"Further scopes to ask for, such as groups." placeholder:"SCOPE"`
	TrustEmail       bool     `help:"Take email addresses that the provider does not call verified. Only where people cannot choose their address there."`
	RoleClaim        string   `help:"Claim that gives the role, such as groups or realm_access.roles." placeholder:"CLAIM"`
	Role             []string `help:"A value of the claim and its role, such as platform-team=editor; may be repeated. Without any, the values admin, editor and viewer stand for themselves." sep:"none" placeholder:"VALUE=ROLE"`
	DefaultRole      string   `help:"Role of those whose claim gives none. Default: they may not come in." placeholder:"ROLE"`
}

// provider gives the identity provider, or nil when there is none. consoleURL is the console as browsers reach it.
func (f openIDFlags) provider(consoleURL string) (*openid.Provider, error) {
	if f.Issuer == "" {
		return nil, nil
	}
	if err := gatehouse.CheckURL("openid_issuer", "the URL of the OpenID provider", f.Issuer, "https://sso.example.com/realms/ops"); err != nil {
		return nil, err
	}
	if f.ClientID == "" {
		return nil, gatehouse.InvalidField("openid_client_id", "the client ID is missing; register Gatehouse at the OpenID provider with the redirect URL %s and give its ID with --openid-client-id", redirectURL(consoleURL))
	}
	roles, err := openid.ParseRoleRule(f.RoleClaim, f.Role, f.DefaultRole)
	if err != nil {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "%s: use --openid-role-claim, --openid-role and --openid-default-role", gatehouse.ErrorMessage(err))
	}
	config := openid.Config{Issuer: f.Issuer, ClientID: f.ClientID, RedirectURL: redirectURL(consoleURL), Scopes: f.Scopes, TrustEmail: f.TrustEmail, Roles: roles}
	if f.ClientSecretFile != "" {
		secret, err := os.ReadFile(f.ClientSecretFile)
		if err != nil {
			return nil, gatehouse.Errorf(gatehouse.Invalid, "the file %s with the client secret cannot be read; check the path and its mode", f.ClientSecretFile).WithCause(err)
		}
		config.ClientSecret = strings.TrimSpace(string(secret))
	}
	return openid.New(config), nil
}

func redirectURL(consoleURL string) string {
	return strings.TrimRight(consoleURL, "/") + views.OpenIDURL + "/callback"
}
