package vmauth

import (
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

// route is where vmauth sends some requests of a user.
type route struct {
	patterns []pattern // nil: all paths
	forwarding
	target target
}

// target is what the URLs of a route have in common. A path of the client goes to one of them, followed by what the backend needs
// before it: nothing, or /insert or /select with the tenant and rest.
type target struct {
	urls    []string
	inserts bool              // they are vminserts
	selects bool              // they are vmselects; both: something that stands before a cluster
	tenant  *gatehouse.Tenant // nil: none in the URL
	rest    string            // "" or "/prometheus"
}

func (t target) single() bool { return !t.inserts && !t.selects }

func (t target) partOf(path string) access.Part {
	switch {
	case t.single():
		return access.Single
	case t.inserts && !(t.selects && strings.HasPrefix(path, "/select/")):
		return access.Insert
	}
	return access.Select
}

// upstream gives the path that the backend gets after its URL.
func (t target) upstream(path string) string {
	switch {
	case t.tenant == nil:
		return path
	case t.inserts:
		return "/insert/" + t.tenant.String() + t.rest + path
	}
	return "/select/" + t.tenant.String() + t.rest + path
}

// routesOf gives the routes of a user in the order in which vmauth tries them. problem says why they cannot be carried over.
func routesOf(u *user) (routes []route, problem string) {
	for _, m := range u.URLMap {
		switch {
		case len(m.SrcHosts) > 0:
			return nil, "it chooses by the host name of the request (src_hosts)"
		case len(m.SrcQueryArgs) > 0:
			return nil, "it chooses by the arguments of the request (src_query_args)"
		case len(m.SrcHeaders) > 0:
			return nil, "it chooses by headers of the request (src_headers)"
		case len(m.SrcPaths) == 0:
			return nil, "a url_map has no src_paths"
		}
		to, problem := parseTarget(m.URLPrefix)
		if problem != "" {
			return nil, problem
		}
		r := route{m.SrcPaths, m.forwarding, to}
		if r.DropSrcPathPrefixParts == 0 {
			r.DropSrcPathPrefixParts = u.DropSrcPathPrefixParts
		}
		routes = append(routes, r)
	}
	if len(u.URLPrefix) > 0 {
		to, problem := parseTarget(u.URLPrefix)
		if problem != "" {
			return nil, problem
		}
		routes = append(routes, route{nil, u.forwarding, to})
	}
	if len(routes) == 0 {
		return nil, "it has neither url_prefix nor url_map"
	}
	for _, r := range routes {
		if r.DropSrcPathPrefixParts > 0 {
			return nil, "vmauth drops the beginning of its paths (drop_src_path_prefix_parts); have its clients leave that out"
		}
	}
	return routes, ""
}

// routed gives the route that takes the path, as vmauth does: the first that matches.
func routed(routes []route, path string) (int, bool) {
	if path == "/" {
		path = "" // so vmauth sees it
	}
	for i, r := range routes {
		if r.patterns == nil || slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.MatchString(path) }) {
			return i, true
		}
	}
	return 0, false
}

// parseTarget reads a url_prefix.
func parseTarget(prefixes urls) (target, string) {
	var t target
	for i, raw := range prefixes {
		one, problem := parsePrefix(raw)
		if problem != "" {
			return target{}, problem
		}
		if i > 0 && (one.inserts != t.inserts || one.selects != t.selects || one.rest != t.rest || !sameTenant(one.tenant, t.tenant)) {
			return target{}, "the URLs of one url_prefix differ in more than the host"
		}
		t.inserts, t.selects, t.tenant, t.rest = one.inserts, one.selects, one.tenant, one.rest
		if !slices.Contains(t.urls, one.urls[0]) {
			t.urls = append(t.urls, one.urls[0])
		}
	}
	if len(t.urls) == 0 {
		return target{}, "a url_prefix is missing"
	}
	slices.Sort(t.urls)
	return t, ""
}

func sameTenant(a, b *gatehouse.Tenant) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func parsePrefix(raw string) (target, string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return target{}, "a url_prefix is not a valid URL"
	case strings.Contains(raw, "{{"):
		return target{}, "a url_prefix has placeholders for claims of a jwt"
	case u.RawQuery != "":
		// Very often extra_filters or extra_label, which restrict what can be read.
		return target{}, "vmauth adds arguments to its requests (" + strings.Join(argumentNames(u), ", ") + "), which Gatehouse does not; they may restrict it"
	case u.User != nil:
		return target{}, "a url_prefix holds a user name or password"
	}
	base, word, tenant, rest, problem := splitCluster(strings.TrimRight(u.Path, "/"))
	if problem != "" {
		return target{}, problem
	}
	u.Path, u.RawPath = base, ""
	base = strings.TrimRight(u.String(), "/")
	if err := gatehouse.CheckURL("", "a url_prefix", base, "http://10.0.0.5:8428"); err != nil {
		return target{}, gatehouse.ErrorMessage(err)
	}
	return target{urls: []string{base}, inserts: word == "insert", selects: word == "select", tenant: tenant, rest: rest}, ""
}

func argumentNames(u *url.URL) []string {
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// splitCluster takes a path like /base/insert/7/prometheus apart. word is "" when there is no /insert or /select in it.
func splitCluster(path string) (base, word string, tenant *gatehouse.Tenant, rest, problem string) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s != "insert" && s != "select" {
			continue
		}
		if i+1 == len(segments) {
			return "", "", nil, "", "its url_prefix ends in /" + s + ", so clients send the tenant without it"
		}
		parsed, err := gatehouse.ParseTenant(segments[i+1])
		if err != nil {
			return "", "", nil, "", "its url_prefix has no numeric tenant after /" + s
		}
		rest := strings.Join(segments[i+2:], "/")
		if rest != "" && rest != "prometheus" {
			return "", "", nil, "", "its url_prefix goes on after the tenant with something else than /prometheus"
		}
		if rest != "" {
			rest = "/" + rest
		}
		return strings.Join(segments[:i], "/"), s, &parsed, rest, ""
	}
	return path, "", nil, "", ""
}
