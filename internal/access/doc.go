// Package access is the access endpoint: it knows from an access token alone whom to let in, what the token may do and where the
// request goes. It never touches the store on a request: grants live in memory (Table) and follow the store (Follower).
//
// A request passes these stations, each in a file of its own: credential → path → decide → body → gate → proxy. The rules are
// those of VictoriaMetrics' own HTTP API, https://docs.victoriametrics.com/victoriametrics/url-examples/.
package access
