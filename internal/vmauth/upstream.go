package vmauth

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
)

// upstreamOf gives how Gatehouse proves itself to the backends, which vmauth says in a header and in certificates. notes are settings
// that are left behind.
func upstreamOf(u *user, routes []route) (up gatehouse.Upstream, notes []string, problem string) {
	for i, r := range routes {
		one, more, problem := headersOf(r.Headers)
		if problem != "" {
			return up, nil, problem
		}
		if i > 0 && one != up {
			return up, nil, "its routes send different credentials to the backends"
		}
		up = one
		notes = append(append(notes, more...), r.notes()...)
	}
	if problem := u.tls(&up); problem != "" {
		return up, nil, problem
	}
	if err := up.Check(); err != nil {
		return up, nil, gatehouse.ErrorMessage(err)
	}
	if len(u.DefaultURL) > 0 {
		notes = append(notes, "default_url: requests for which it has no route are answered 403 or 404")
	}
	slices.Sort(notes)
	return up, slices.Compact(notes), ""
}

// headersOf reads the headers that vmauth sends to the backends.
func headersOf(headers []string) (up gatehouse.Upstream, notes []string, problem string) {
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "authorization":
			if value == "" {
				continue // Gatehouse never passes on the client's
			}
			if up, problem = authorization(value); problem != "" {
				return up, nil, problem
			}
		case "accountid", "projectid":
			return up, nil, "vmauth gives its requests a tenant by the headers AccountID and ProjectID; write the tenant into url_prefix"
		case "host":
			return up, nil, "vmauth sets the Host header of its requests, which Gatehouse does not"
		default:
			notes = append(notes, "headers: "+name+" is not sent; VictoriaMetrics does not look at it")
		}
	}
	return up, notes, ""
}

func authorization(value string) (up gatehouse.Upstream, problem string) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer") && rest != "":
		return gatehouse.Upstream{Bearer: rest}, ""
	case strings.EqualFold(scheme, "Basic"):
		pair, err := base64.StdEncoding.DecodeString(rest)
		if name, password, ok := strings.Cut(string(pair), ":"); err == nil && ok && name != "" {
			return gatehouse.Upstream{Username: name, Password: password}, ""
		}
	}
	return up, "the Authorization header that it sends to the backends is neither Bearer nor Basic"
}

// notes are settings of a route that restrict nobody and are left behind.
func (f forwarding) notes() []string {
	var notes []string
	for _, header := range f.ResponseHeaders {
		name, value, _ := strings.Cut(header, ":")
		if strings.EqualFold(strings.TrimSpace(name), "X-Server-Hostname") && strings.TrimSpace(value) == "" {
			continue // Gatehouse removes it, too
		}
		notes = append(notes, "response_headers: "+strings.TrimSpace(name)+" is left as the backend sends it")
	}
	add := func(is bool, note string) {
		if is {
			notes = append(notes, note)
		}
	}
	add(len(f.RetryStatusCodes) > 0, "retry_status_codes: only requests that get no answer are repeated at another backend")
	add(f.LoadBalancingPolicy == "first_available", "load_balancing_policy: requests go to the least busy backend")
	add(f.DiscoverBackendIPs, "discover_backend_ips: a host name stands for one backend, whatever addresses it has")
	add(f.KeepOriginalHost, "keep_original_host: the backend gets its own host name, and the client's in X-Forwarded-Host")
	return notes
}

// tls reads the certificates.
func (u *user) tls(up *gatehouse.Upstream) (problem string) {
	secure := slices.ContainsFunc(u.allURLs(), func(one string) bool { return strings.HasPrefix(one, "https:") })
	switch {
	case !secure:
		return ""
	case u.TLSInsecureSkipVerify:
		return "vmauth does not check the backend's certificate (tls_insecure_skip_verify), and Gatehouse always does; name its authority in tls_ca_file"
	case u.TLSServerName != "":
		return "the backend's certificate is for another name than its URL's (tls_server_name), which Gatehouse does not allow"
	}
	for _, one := range []struct {
		path   string
		target *string
	}{{u.TLSCAFile, &up.CA}, {u.TLSCertFile, &up.Cert}, {u.TLSKeyFile, &up.Key}} {
		if one.path == "" {
			continue
		}
		text, err := os.ReadFile(one.path)
		if err != nil {
			return fmt.Sprintf("the file %s cannot be read; run the import where vmauth runs", one.path)
		}
		*one.target = string(text)
	}
	return ""
}

func (u *user) allURLs() []string {
	all := slices.Clone(u.URLPrefix)
	for _, m := range u.URLMap {
		all = append(all, m.URLPrefix...)
	}
	return all
}
