package vmauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// Plan is what a configuration becomes.
type Plan struct {
	Deployments []gatehouse.NewDeployment // a cluster may have no vminsert, or no vmselect, when no user needs it
	Users       []User                    // as they stand in the file
	LeftOut     []string                  // what concerns no single user
}

// User is what a user of the configuration becomes. Its printed form holds no secret.
type User struct {
	Name    string // of the token
	Problem string // why it is left out; empty: it becomes a token

	Deployment int // index
	Access     gatehouse.Access
	Tenant     *gatehouse.Tenant // nil: any
	Secret     secret.Secret
	Weak       bool     // the secret is so short that it can be guessed
	Notes      []string // settings that are left behind
	Lost       []string // paths that vmauth passes on and Gatehouse does not
	Gained     []string // paths that Gatehouse passes on and vmauth does not
}

// Read makes a plan of the text of a configuration.
func Read(text []byte) (Plan, error) {
	c, err := read(text)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	if c.UnauthorizedUser != nil {
		p.LeftOut = append(p.LeftOut, "unauthorized_user: Gatehouse lets nobody in without a token; give those clients one")
	}
	var g groups
	hashes := map[gatehouse.SecretHash]string{}
	for i := range c.Users {
		u := &c.Users[i]
		one, s, up := planUser(u, i+1)
		if c.IPFilters != nil && one.Problem == "" {
			one.Problem = "the file lets in some addresses only (ip_filters), and Gatehouse does not look at them"
		}
		p.Users = append(p.Users, one)
		if one.Problem != "" {
			g.add(nil)
			continue
		}
		hash := one.Secret.Hash()
		if other, taken := hashes[hash]; taken {
			return Plan{}, gatehouse.Errorf(gatehouse.Invalid, "the users %q and %q have the same credential, which vmauth refuses, too; remove one of them", other, one.Name)
		}
		hashes[hash] = one.Name
		g.add(&need{shape: s, upstream: up, limit: u.MaxConcurrentRequests})
	}
	g.into(&p)
	return p, nil
}

// planUser decides about one user, by itself.
func planUser(u *user, number int) (one User, s shape, up gatehouse.Upstream) {
	one = User{Name: nameOf(u, number)}
	var routes []route
	value, problem := credentialOf(u)
	if problem == "" && u.IPFilters != nil {
		problem = "it is let in from some addresses only (ip_filters), and Gatehouse does not look at them"
	}
	if problem == "" {
		routes, problem = routesOf(u)
	}
	if problem == "" {
		s, problem = shapeOf(routes)
	}
	if problem == "" {
		up, one.Notes, problem = upstreamOf(u, routes)
	}
	if one.Problem = problem; problem != "" {
		return one, s, up
	}
	one.Secret, one.Access, one.Tenant, one.Lost, one.Gained = value, s.access, s.tenant, s.lost, s.gained
	one.Weak = len(value.Reveal()) < shortest
	return one, s, up
}

// nameOf is what the token will be called. Two may come out the same.
func nameOf(u *user, number int) string {
	for _, name := range []string{u.Name, u.Username} {
		if gatehouse.CheckName(name) == nil {
			return name
		}
	}
	return "imported " + strconv.Itoa(number)
}

// need is what a user needs of its deployment.
type need struct {
	shape
	upstream gatehouse.Upstream
	limit    int // 0: vmauth's default
}

// groups finds out which users share a deployment.
type groups struct{ needs []*need }

func (g *groups) add(n *need) { g.needs = append(g.needs, n) }

// into writes the deployments into p, and which user belongs to which. A user that only writes to a cluster shares the deployment of
// those that also read there, and the other way round.
func (g *groups) into(p *Plan) {
	g.complete()
	index := map[string]int{}
	for i, n := range g.needs {
		if n == nil {
			continue
		}
		key := n.key()
		at, known := index[key]
		if !known {
			at = len(p.Deployments)
			index[key] = at
			p.Deployments = append(p.Deployments, gatehouse.NewDeployment{
				Name: nameFor(n.shape), Type: n.kind, URLs: n.urls, InsertURLs: n.insertURLs, SelectURLs: n.selectURLs, Upstream: n.upstream,
			})
		}
		p.Users[i].Deployment = at
		if d := &p.Deployments[at]; n.limit > d.MaxConcurrentRequests {
			d.MaxConcurrentRequests = n.limit
		}
	}
	g.limit(p)
}

// limit sets the deployments' limits, which hold for each of their tokens: where a user has none of its own, the default.
func (g *groups) limit(p *Plan) {
	for i, n := range g.needs {
		if n != nil && n.limit <= 0 {
			p.Deployments[p.Users[i].Deployment].MaxConcurrentRequests = max(p.Deployments[p.Users[i].Deployment].MaxConcurrentRequests, gatehouse.DefaultMaxConcurrentRequests)
		}
	}
	for i, n := range g.needs {
		if n == nil || n.limit <= 0 {
			continue
		}
		if limit := p.Deployments[p.Users[i].Deployment].MaxConcurrentRequests; limit != n.limit {
			p.Users[i].Notes = append(p.Users[i].Notes,
				"max_concurrent_requests: "+strconv.Itoa(limit)+" instead of "+strconv.Itoa(n.limit)+", as for all tokens of its deployment")
		}
	}
}

// complete gives clusters of which a user needs one part the other part as well, where it is known which one that is.
func (g *groups) complete() {
	for _, n := range g.needs {
		if n == nil || n.kind != gatehouse.Cluster {
			continue
		}
		if n.insertURLs == nil {
			n.insertURLs = g.other(func(o *need) ([]string, []string) { return o.selectURLs, o.insertURLs }, n.selectURLs, n)
		}
		if n.selectURLs == nil {
			n.selectURLs = g.other(func(o *need) ([]string, []string) { return o.insertURLs, o.selectURLs }, n.insertURLs, n)
		}
	}
}

// other finds the URLs of the other part: those that stand beside the same URLs at another user, or else the only ones in the file.
func (g *groups) other(parts func(*need) (same, other []string), urls []string, of *need) []string {
	var beside, all [][]string
	note := func(list *[][]string, one []string) {
		if !slices.ContainsFunc(*list, func(known []string) bool { return slices.Equal(known, one) }) {
			*list = append(*list, one)
		}
	}
	for _, n := range g.needs {
		if n == nil || n.kind != gatehouse.Cluster || n.upstream != of.upstream {
			continue
		}
		same, other := parts(n)
		if other == nil {
			continue
		}
		note(&all, other)
		if slices.Equal(same, urls) {
			note(&beside, other)
		}
	}
	switch {
	case len(beside) == 1:
		return beside[0]
	case len(beside) == 0 && len(all) == 1:
		return all[0]
	}
	return nil
}

func (n *need) key() string {
	return strings.Join([]string{string(n.kind), strings.Join(n.urls, " "), strings.Join(n.insertURLs, " "), strings.Join(n.selectURLs, " "),
		n.upstream.Authorization(), n.upstream.CA, n.upstream.Cert, n.upstream.Key}, "\x00")
}

// nameFor names a deployment after the host of its first URL. Two may come out the same.
func nameFor(s shape) string {
	for _, urls := range [][]string{s.urls, s.insertURLs, s.selectURLs} {
		if len(urls) == 0 {
			continue
		}
		if u, err := url.Parse(urls[0]); err == nil && gatehouse.CheckName(u.Host+u.Path) == nil {
			return u.Host + u.Path
		}
	}
	return "vmauth"
}
