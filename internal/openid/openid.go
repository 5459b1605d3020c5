// Package openid signs people in through an OpenID Connect provider, https://openid.net/specs/openid-connect-core-1_0.html: the
// authorization code flow with PKCE. It says who somebody is and which role the provider's claims give them; what that means is for
// control to decide.
package openid

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatehouse/internal/gatehouse"
)

// Config is what the operator says about the provider.
type Config struct {
	Issuer       string // URL under which the provider publishes its configuration
	ClientID     string
	ClientSecret string // empty for a public client
	RedirectURL  string // where the provider sends people back to, as registered there
	Scopes       []string
	TrustEmail   bool // take addresses that the provider does not call verified, as some never do; safe where people cannot choose their address there
	Roles        RoleRule
}

// answerTime bounds each request to the provider: somebody waits in front of a browser.
const answerTime = 10 * time.Second

// Provider is an OpenID Connect provider. Its configuration is fetched at the first sign-in and again after a failure, so that
// Gatehouse starts while the provider is away.
type Provider struct {
	config Config
	client *http.Client

	mu        sync.Mutex
	discovery *discovery // the last one; nil: none yet
}

// New makes a Provider. Nothing is asked of it yet.
func New(config Config) *Provider {
	return &Provider{config: config, client: &http.Client{Timeout: answerTime}}
}

// Flow is what the browser that begins to sign in keeps until it comes back. It proves that both are the same browser, and is worth
// nothing afterwards.
type Flow struct {
	State    string
	Nonce    string
	Verifier string // of PKCE, RFC 7636
}

// Begin gives the URL at which the provider asks the person who they are.
func (p *Provider) Begin(ctx context.Context) (url string, flow Flow, err error) {
	ctx = oidc.ClientContext(ctx, p.client)
	provider, err := p.discover(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	flow = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return p.oauth(provider).AuthCodeURL(flow.State, oidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier)), flow, nil
}

// Began reports whether this flow is the one that the state, which came back with the browser, belongs to.
func (f Flow) Began(state string) bool { return f.State != "" && state == f.State }

// Finish exchanges the code with which the person came back for their identity. With an error it gives what is known of them.
func (p *Provider) Finish(ctx context.Context, flow Flow, code string) (gatehouse.Identity, error) {
	ctx = oidc.ClientContext(ctx, p.client)
	provider, err := p.discover(ctx)
	if err != nil {
		return gatehouse.Identity{}, err
	}
	token, err := p.oauth(provider).Exchange(ctx, code, oauth2.VerifierOption(flow.Verifier))
	if err != nil {
		return gatehouse.Identity{}, refused(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return gatehouse.Identity{}, refused(errors.New("the provider sent no ID token"))
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return gatehouse.Identity{}, refused(err)
	}
	if verified.Nonce != flow.Nonce {
		return gatehouse.Identity{}, refused(errors.New("the ID token is for another sign-in"))
	}
	return p.identity(ctx, provider, token, verified)
}

// identity reads the claims of the ID token, and those that the provider only tells when asked.
func (p *Provider) identity(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, verified *oidc.IDToken) (_ gatehouse.Identity, err error) {
	claims := map[string]any{}
	if provider.UserInfoEndpoint() != "" {
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return gatehouse.Identity{}, refused(err)
		}
		if info.Subject != verified.Subject { // core 1.0, section 5.3.2: a substituted answer
			return gatehouse.Identity{}, refused(errors.New("the provider speaks of two different people"))
		}
		if err := info.Claims(&claims); err != nil {
			return gatehouse.Identity{}, refused(err)
		}
	}
	if err := verified.Claims(&claims); err != nil { // the signed ones win
		return gatehouse.Identity{}, refused(err)
	}
	id := gatehouse.Identity{Issuer: verified.Issuer, Subject: verified.Subject}
	if id.Email, err = emailOf(claims, p.config.TrustEmail); err == nil {
		id.Role, err = p.config.Roles.role(claims)
	}
	return id, err
}

// emailOf refuses an address that the provider does not call verified: anybody could have entered it there.
func emailOf(claims map[string]any, trust bool) (string, error) {
	email, _ := claims["email"].(string)
	if email == "" {
		return "", gatehouse.Errorf(gatehouse.Forbidden, "the identity provider did not tell your email address; ask an admin to allow the scope email there")
	}
	if verified := claims["email_verified"]; !trust && verified != true && verified != "true" {
		return "", gatehouse.Errorf(gatehouse.Forbidden, "your email address is not verified at the identity provider; verify it there and try again, or ask an admin")
	}
	return gatehouse.ParseEmail(email)
}

func (p *Provider) oauth(provider *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, RedirectURL: p.config.RedirectURL,
		Endpoint: provider.Endpoint(), Scopes: append([]string{oidc.ScopeOpenID, "email", "profile"}, p.config.Scopes...),
	}
}

// retryAfter is how long a failure to fetch the provider's configuration counts for all who come.
const retryAfter = 5 * time.Second

// discover fetches the provider's configuration once. Those who come meanwhile wait for the same answer, and no longer than they
// like: strangers must not line up behind a provider that hangs.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	d := p.discovery
	if d == nil || d.failedBefore(time.Now().Add(-retryAfter)) {
		d = &discovery{done: make(chan struct{})}
		p.discovery = d
		// The provider keeps the context for fetching keys later on, so it must outlive the request.
		go d.run(context.WithoutCancel(ctx), p.config.Issuer)
	}
	p.mu.Unlock()
	select {
	case <-d.done:
		return d.provider, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// discovery is one attempt to fetch the provider's configuration.
type discovery struct {
	done     chan struct{} // closed when the rest is set
	provider *oidc.Provider
	err      error
	at       time.Time
}

func (d *discovery) run(ctx context.Context, issuer string) {
	defer close(d.done)
	d.provider, d.err = oidc.NewProvider(ctx, issuer)
	d.at = time.Now()
	if d.err != nil {
		d.err = gatehouse.Errorf(gatehouse.Unavailable, "the identity provider does not answer as it should; try again, or sign in with a password").
			WithCause(fmt.Errorf("discover the OpenID provider %s: %w", issuer, d.err))
	}
}

// failedBefore reports whether the attempt has failed, and did so before the time.
func (d *discovery) failedBefore(t time.Time) bool {
	select {
	case <-d.done:
		return d.err != nil && d.at.Before(t)
	default:
		return false
	}
}

// refused hides from the person what the log tells the operator.
func refused(cause error) error {
	var failure *oauth2.RetrieveError
	if errors.As(cause, &failure) { // its text holds the provider's whole answer
		cause = fmt.Errorf("the provider answered %s to the code: %s %s", failure.Response.Status, failure.ErrorCode, failure.ErrorDescription)
	}
	return gatehouse.Errorf(gatehouse.Unauthenticated, "the identity provider did not confirm the sign-in; try again, and if it fails again ask an admin to look at the server's log").WithCause(cause)
}
