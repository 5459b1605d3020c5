package vmauth

import (
	"encoding/base64"
	"strings"

	"gatehouse/internal/secret"
)

// shortest is the least length that an imported secret should have.
const shortest = 16

// longest is what the access endpoint reads of a credential, in bytes.
const (
	longest = 4096
	tooLong = "its credential is longer than 4096 bytes"
)

// credentialOf gives the secret that the user's clients go on sending: the bearer token, or user name, colon and password as one, which
// is what the access endpoint looks Basic credentials up by. problem says why there is none.
func credentialOf(u *user) (value secret.Secret, problem string) {
	scheme, rest, _ := strings.Cut(u.AuthToken, " ")
	switch {
	case u.JWT != nil:
		return value, "it is let in by signed tokens (jwt), which Gatehouse does not check"
	case u.AuthToken != "" && (scheme == "Bearer" || scheme == "Token"):
		return bearer(strings.TrimSpace(rest))
	case u.AuthToken != "" && scheme == "Basic":
		text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
		if err != nil || !strings.Contains(string(text), ":") {
			return value, "its auth_token is no valid Basic credential"
		}
		return pair(string(text))
	case u.AuthToken != "":
		return value, "its auth_token has a scheme other than Bearer, Token and Basic"
	case u.BearerToken != "":
		return bearer(u.BearerToken)
	case u.Username != "":
		return pair(u.Username + ":" + u.Password)
	}
	return value, "it has no credential"
}

func bearer(text string) (value secret.Secret, problem string) {
	switch kind, own := secret.KindOf(text); {
	case text == "":
		return value, "it has no credential"
	case strings.TrimSpace(text) != text:
		return value, "its secret begins or ends with a space, which clients cannot send"
	case own && (kind != secret.AccessToken || !secret.Valid(text)):
		return value, "its secret begins like one of Gatehouse's own (vmat_ or vmak_) and is none"
	case len(text) > longest:
		return value, tooLong
	}
	return secret.From(text), ""
}

func pair(text string) (value secret.Secret, problem string) {
	if len(text) > longest {
		return value, tooLong
	}
	return secret.From(text), ""
}
