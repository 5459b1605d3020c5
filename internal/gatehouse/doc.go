// Package gatehouse is the domain: what a deployment, an access token, a user and an audit record are, and which values of
// them are valid. It knows nobody: no HTTP, no SQL, no process. Every other package speaks in its words.
package gatehouse
