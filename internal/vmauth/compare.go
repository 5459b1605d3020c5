package vmauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

// shape is what a user becomes: a token of a deployment with these URLs.
type shape struct {
	kind       gatehouse.DeploymentType
	urls       []string // single node
	insertURLs []string // cluster; one of the two may be empty
	selectURLs []string
	tenant     *gatehouse.Tenant // nil: any
	spelled    bool              // clients write /insert/<tenant> or /select/<tenant> themselves
	access     gatehouse.Access
	lost       []string // paths that vmauth passes on and the access endpoint does not
	gained     []string // the other way round
}

// anyTenant stands for tenants that no configuration names.
var anyTenant = gatehouse.Tenant{AccountID: 4_294_967_294, ProjectID: 4_294_967_293}

// shapeOf finds the deployment, tenant and access with which the user's requests go where vmauth sends them. problem says why there
// is none.
func shapeOf(routes []route) (s shape, problem string) {
	routes = slices.Clone(routes)
	tenants := map[gatehouse.Tenant]bool{} // that clients spell out
	for i := range routes {
		for _, t := range recognize(routes, i) {
			tenants[t] = true
		}
	}
	if s, problem = place(routes); problem != "" {
		return s, problem
	}
	if problem = unusualBase(s.urls); problem != "" {
		return s, problem
	}
	s.spelled = len(tenants) > 0
	switch {
	case tenants[anyTenant] || len(tenants) == 0:
	case len(tenants) > 1:
		return s, "its clients may choose among several tenants, but not all; a token is for one tenant or for all"
	default:
		for t := range tenants {
			if s.tenant != nil && *s.tenant != t {
				return s, differentTenants
			}
			s.tenant = &t
		}
	}
	if tenants[anyTenant] && s.tenant != nil {
		return s, differentTenants
	}
	s.compare(routes)
	if s.access == "" {
		return s, "none of the paths that vmauth lets it use is one that the access endpoint passes on unchanged"
	}
	return s, ""
}

const differentTenants = "its routes lead to different tenants"

// recognize finds out whether a route without a tenant in its URL leads to a cluster whose tenants the clients spell out, marks it so,
// and gives those tenants.
func recognize(routes []route, i int) []gatehouse.Tenant {
	t := &routes[i].target
	if t.tenant != nil {
		return nil
	}
	takes := func(path string) bool {
		n, ok := routed(routes, path)
		return ok && n == i
	}
	port := portOf(t.urls[0])
	isInsert, isSelect := port == "8480", port == "8481" // where they listen by default
	if !isInsert && !isSelect && slices.ContainsFunc(access.KnownPaths(gatehouse.SingleNode), takes) {
		return nil
	}
	var tenants []gatehouse.Tenant
	for _, tenant := range candidates(routes) {
		inserts := !isSelect && takes("/insert/"+tenant.String()+"/prometheus/api/v1/write")
		selects := !isInsert && takes("/select/"+tenant.String()+"/prometheus/api/v1/query")
		if !inserts && !selects {
			continue
		}
		t.inserts, t.selects = t.inserts || inserts, t.selects || selects
		tenants = append(tenants, tenant)
		if tenant == anyTenant {
			break
		}
	}
	return tenants
}

// unusualBase refuses URLs below which a path of the table would mean something else, or something that is shut.
func unusualBase(urls []string) string {
	everything := access.Scope{Access: gatehouse.ReadWrite}
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Path == "" {
			continue
		}
		for _, path := range access.KnownPaths(gatehouse.SingleNode) {
			itself, refusal := access.Decide(gatehouse.SingleNode, everything, path)
			if refusal != nil {
				continue
			}
			below, refusal := access.Decide(gatehouse.SingleNode, everything, u.Path+path)
			if refusal != nil && refusal.Reason == access.ForbiddenPath || refusal == nil && below.Kind != itself.Kind {
				return "below the path of its url_prefix, paths of VictoriaMetrics mean something else"
			}
		}
	}
	return ""
}

func portOf(raw string) string { return raw[strings.LastIndexByte(raw, ':')+1:] }

// candidates are the tenants that a regular expression may mean: any, those whose numbers stand in it, and the first thousand.
func candidates(routes []route) []gatehouse.Tenant {
	all := []gatehouse.Tenant{anyTenant}
	for _, r := range routes {
		for _, p := range r.patterns {
			for _, word := range strings.FieldsFunc(p.String(), func(c rune) bool { return (c < '0' || c > '9') && c != ':' }) {
				if t, err := gatehouse.ParseTenant(word); err == nil {
					all = append(all, t)
				}
			}
		}
	}
	for n := range uint32(1000) {
		all = append(all, gatehouse.Tenant{AccountID: n})
	}
	return all
}

// place finds the one deployment to which all routes lead.
func place(routes []route) (s shape, problem string) {
	merge := func(into *[]string, urls []string, what string) {
		if *into != nil && !slices.Equal(*into, urls) {
			problem = "its routes lead to different " + what + "; a token belongs to one deployment"
		}
		*into = urls
	}
	for i, r := range routes {
		if r.target.inserts {
			merge(&s.insertURLs, r.target.urls, "vminserts")
		}
		if r.target.selects {
			merge(&s.selectURLs, r.target.urls, "vmselects")
		}
		if r.target.single() {
			merge(&s.urls, r.target.urls, "VictoriaMetrics")
		}
		if i > 0 && !sameTenant(s.tenant, r.target.tenant) && problem == "" {
			problem = differentTenants
		}
		s.tenant = r.target.tenant
	}
	s.kind = gatehouse.SingleNode
	if s.urls == nil {
		s.kind = gatehouse.Cluster
	} else if s.insertURLs != nil || s.selectURLs != nil {
		problem = "its routes lead to a cluster and to something else; a token belongs to one deployment"
	}
	return s, problem
}

// compare goes through all paths that VictoriaMetrics knows. The access is what the user could do.
func (s *shape) compare(routes []route) {
	all := access.Scope{Access: gatehouse.ReadWrite, Tenant: s.tenant}
	var canRead, canWrite bool
	paths := s.paths(routes)
	for _, path := range paths {
		before, ok := s.before(routes, path)
		if after, kind := s.after(all, path); ok && after == before {
			canRead = canRead || kind == access.Read
			canWrite = canWrite || kind == access.Write
		}
	}
	switch {
	case canRead && canWrite:
		s.access = gatehouse.ReadWrite
	case canRead:
		s.access = gatehouse.Read
	case canWrite:
		s.access = gatehouse.Write
	default:
		return
	}
	scope := access.Scope{Access: s.access, Tenant: s.tenant}
	kept := map[string]bool{}
	for _, path := range paths {
		before, passed := s.before(routes, path)
		after, kind := s.after(scope, path)
		switch {
		case passed && after == before:
			kept[plain(path)] = true
		case passed && after == "" && s.serves(before):
			s.lost = append(s.lost, plain(path))
		case after != "" && after != before && kind != access.UI && !(passed && s.serves(before)):
			s.gained = append(s.gained, plain(path))
		}
	}
	s.gained = slices.DeleteFunc(s.gained, func(path string) bool { return kept[path] }) // it is another spelling
	for _, list := range []*[]string{&s.lost, &s.gained} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// plain is a path without what may stand before it: as it is told to people, who need no list of all spellings.
func plain(path string) string {
	for _, word := range []string{"/insert/", "/select/"} {
		if below, ok := strings.CutPrefix(path, word); ok {
			_, below, _ = strings.Cut(below, "/")
			path = "/" + below
		}
	}
	for _, form := range []string{"/prometheus/", "/graphite/"} {
		if below, ok := strings.CutPrefix(path, form); ok && below != "" {
			return "/" + below
		}
	}
	return path
}

// paths are those that clients could send, in the way that theirs do.
func (s *shape) paths(routes []route) []string {
	known := access.KnownPaths(s.kind)
	if s.kind == gatehouse.SingleNode {
		return slices.DeleteFunc(known, ownPath)
	}
	var sent []string
	for _, path := range known {
		if s.spelled {
			tenant := anyTenant
			if s.tenant != nil {
				tenant = *s.tenant
			}
			sent = append(sent, "/insert/"+tenant.String()+path, "/select/"+tenant.String()+path)
			if s.tenant == nil {
				sent = append(sent, "/insert/multitenant"+path, "/select/multitenant"+path)
			}
			continue
		}
		for _, r := range routes {
			one := path
			if below, ok := strings.CutPrefix(path, r.target.rest+"/"); ok {
				one = "/" + below
			}
			if !slices.Contains(sent, one) {
				sent = append(sent, one)
			}
		}
	}
	return slices.DeleteFunc(sent, ownPath)
}

// ownPath reports the start page, and what vmauth answers itself,
// https://github.com/VictoriaMetrics/VictoriaMetrics/blob/v1.151.0/lib/httpserver/httpserver.go.
func ownPath(path string) bool {
	switch path {
	case "/", "/health", "/ping", "/metrics", "/flags", "/-/healthy", "/-/ready", "/-/reload", "/favicon.ico", "/robots.txt":
		return true
	}
	return strings.HasPrefix(path, "/debug/pprof/")
}

// before gives where vmauth sends a path: part and path, without the URL.
func (s *shape) before(routes []route, path string) (string, bool) {
	i, ok := routed(routes, path)
	if !ok {
		return "", false
	}
	t := routes[i].target
	return at(t.partOf(path), t.upstream(path)), true
}

// after gives where the access endpoint sends it, or "" where it refuses.
func (s *shape) after(scope access.Scope, path string) (string, access.Kind) {
	route, refusal := access.Decide(s.kind, scope, path)
	if refusal != nil || !s.has(route.Part) {
		return "", ""
	}
	return at(route.Part, route.Path), route.Kind
}

func (s *shape) has(p access.Part) bool {
	switch p {
	case access.Insert:
		return s.insertURLs != nil
	case access.Select:
		return s.selectURLs != nil
	}
	return true
}

func at(p access.Part, path string) string { return strconv.Itoa(int(p)) + " " + path }

// serves reports whether VictoriaMetrics would do something with what vmauth sends it, as far as the access endpoint knows.
func (s *shape) serves(sent string) bool {
	_, path, _ := strings.Cut(sent, " ")
	_, refusal := access.Decide(s.kind, access.Scope{Access: gatehouse.ReadWrite}, path)
	if s.kind == gatehouse.Cluster && refusal != nil { // of what is shut, vminsert and vmselect serve only this below a tenant
		return strings.HasPrefix(path, "/select/") && strings.Contains(path, "/graphite/tags/")
	}
	return refusal == nil || refusal.Reason == access.ForbiddenPath
}
