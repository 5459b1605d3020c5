package access

import (
	"strings"

	"gatehouse/internal/gatehouse"
)

// Scope is what a token may do.
type Scope struct {
	Access gatehouse.Access
	Tenant *gatehouse.Tenant // nil: any tenant
}

func (s Scope) covers(k Kind) bool {
	switch k {
	case Write:
		return s.Access.CanWrite()
	case Read, UI:
		return s.Access.CanRead()
	}
	return k == Own
}

// Part is the program of a deployment that a request goes to.
type Part int

const (
	Single Part = iota // single-node VictoriaMetrics
	Insert             // vminsert
	Select             // vmselect
	parts
)

// Route is where a request goes.
type Route struct {
	Kind Kind
	Part Part
	// Path is the upstream path, decoded. The backend must see exactly this one, since this one was judged.
	Path string
	// Answer is set when the endpoint answers itself; there is no upstream request then.
	Answer *Answer
	// NoID says that the arguments, in the query or in the body, must not hold an id: with one, this page shows the configuration
	// of a scrape target, and with it perhaps a password.
	NoID bool
}

// Answer is a fixed answer of the endpoint itself.
type Answer struct {
	Status      int
	ContentType string
	Body        string
}

// multitenant stands in a cluster's path for all tenants together; the labels of the samples say whose they are.
const multitenant = "multitenant"

// Decide judges a request by its path, which must come from CleanPath: an allow-list, for what is not known is
// refused. The HTTP method plays no part, as VictoriaMetrics checks almost none: GET with a body writes.
func Decide(t gatehouse.DeploymentType, scope Scope, path string) (Route, *Refusal) {
	if t == gatehouse.Cluster {
		return decideCluster(scope, path)
	}
	p := pathsOf[gatehouse.SingleNode]
	r := p.match(path)
	switch {
	case r.kind == none:
		return Route{}, refuseUnknown(p.nearest(path))
	case strings.HasPrefix(path, "/insert/"):
		return Route{}, refuseClusterPath("/insert/", "/prometheus/api/v1/write")
	case strings.HasPrefix(path, "/select/"):
		return Route{}, refuseClusterPath("/select/", "/prometheus/api/v1/query")
	case r.kind == shut:
		return Route{}, refuseShut
	case !scope.covers(r.kind):
		return Route{}, refuseScope(scope.Access, r.kind)
	}
	return Route{Kind: r.kind, Part: Single, Path: path, Answer: r.answer, NoID: r.noID}, nil
}

// decideCluster sends write kinds to vminsert and read kinds to vmselect, always with a tenant in the path: without one, a cluster
// lets the headers AccountID and ProjectID choose it.
func decideCluster(scope Scope, path string) (Route, *Refusal) {
	for _, part := range []Part{Insert, Select} {
		if rest, ok := strings.CutPrefix(path, part.word()); ok && strings.HasPrefix(rest, "/") {
			return decideSpelledOut(scope, part, rest)
		}
	}
	p := pathsOf[gatehouse.Cluster]
	r := p.match(path)
	switch {
	case r.kind == Own:
		return Route{Kind: Own, Answer: r.answer}, nil
	case scope.Tenant != nil:
		return decideSuffix(scope, scope.Tenant.String(), p.withPrometheus(path), "")
	case r.kind == none:
		nearest := p.nearest(path)
		return Route{}, refuseUnknown(partOf(p.match(nearest).kind).word() + "/<tenant>" + nearest)
	case r.kind == shut:
		return Route{}, refuseShut
	}
	return Route{}, &Refusal{ForbiddenPath, "this token may use any tenant, so the path must name one; write " +
		partOf(r.kind).word() + "/<tenant>" + path + ", where the tenant is accountID or accountID:projectID, for example 0"}
}

// withPrometheus adds the /prometheus that a client with a tenant token may leave out, as it may on a single node and with a vmauth
// whose url_prefix ends in it. No path that means something by itself changes its meaning.
func (p *paths) withPrometheus(path string) string {
	if k := p.match(path).kind; k == none || k == shut {
		if k := p.match("/prometheus" + path).kind; k == Read || k == Write {
			return "/prometheus" + path
		}
	}
	return path
}

// decideSpelledOut judges what follows /insert or /select, which must begin with a tenant.
func decideSpelledOut(scope Scope, part Part, rest string) (Route, *Refusal) {
	p := pathsOf[gatehouse.Cluster]
	name, _, complete := strings.Cut(rest[1:], "/")
	suffix := rest[1+len(name):]
	tenant, err := gatehouse.ParseTenant(name)
	switch {
	case err != nil && name != multitenant:
		return Route{}, refuseNoTenant(part, p.match(rest).kind)
	case scope.Tenant != nil && (name == multitenant || tenant != *scope.Tenant):
		return Route{}, refuseTenant(*scope.Tenant)
	case !complete:
		return Route{}, refuseUnknown(part.word() + "/<tenant>/prometheus/")
	case err == nil:
		name = tenant.String()
	}
	r := p.match(suffix)
	if r.kind == Own || r.kind != none && r.kind != shut && partOf(r.kind) != part {
		return Route{}, refuseUnknown(partOf(r.kind).word() + "/" + name + suffix)
	}
	return decideSuffix(scope, name, suffix, "/"+name)
}

// decideSuffix judges the suffix and puts the tenant before it. Shown is the tenant as a hint must repeat it, or "" for a client
// that sends the suffix alone.
func decideSuffix(scope Scope, tenant, suffix, shown string) (Route, *Refusal) {
	p := pathsOf[gatehouse.Cluster]
	r := p.match(suffix)
	switch {
	case r.kind == none:
		nearest := p.nearest(suffix)
		if shown != "" {
			nearest = partOf(p.match(nearest).kind).word() + shown + nearest
		}
		return Route{}, refuseUnknown(nearest)
	case r.kind == shut:
		return Route{}, refuseShut
	case !scope.covers(r.kind):
		return Route{}, refuseScope(scope.Access, r.kind)
	}
	part := partOf(r.kind)
	route := Route{Kind: r.kind, Part: part, Path: part.word() + "/" + tenant + suffix, NoID: r.noID}
	if r.alerting && scope.Tenant != nil {
		route.Answer = noAlerting(suffix)
	}
	return route, nil
}

// noAlerting is what VictoriaMetrics answers when it has no vmalert. A tenant token always gets it: one vmalert serves all
// tenants and would show the rules and alerts of all.
func noAlerting(suffix string) *Answer {
	list := "groups"
	switch last := suffix[strings.LastIndexByte(suffix, '/')+1:]; last {
	case "alerts", "notifiers":
		list = last
	}
	return &Answer{Status: 200, ContentType: "application/json", Body: `{"status":"success","data":{"` + list + `":[]}}`}
}

func partOf(k Kind) Part {
	if k == Write {
		return Insert
	}
	return Select
}

// word is what a cluster's paths to the part begin with.
func (p Part) word() string {
	if p == Insert {
		return "/insert"
	}
	return "/select"
}
