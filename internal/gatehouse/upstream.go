package gatehouse

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
)

// Upstream is how Gatehouse proves itself to a connected deployment, and how it checks whom it talks to. Its printed form shows
// nothing, since most of it is secret.
type Upstream struct {
	Username string `json:"username,omitempty"` // Basic credentials
	Password string `json:"password,omitempty"`
	Bearer   string `json:"bearer,omitempty"` // instead of Basic
	CA       string `json:"ca,omitempty"`     // PEM: trusted instead of the system's authorities
	Cert     string `json:"cert,omitempty"`   // PEM: client certificate with its chain
	Key      string `json:"key,omitempty"`    // PEM: its private key
}

// UpstreamRow is the row to which the sealed Upstream of a deployment is bound.
func UpstreamRow(deploymentID string) string { return deploymentID + "/upstream" }

// String hides everything.
func (u Upstream) String() string { return "upstream settings" }

// GoString hides everything from %#v.
func (u Upstream) GoString() string { return u.String() }

// IsZero reports whether nothing is set.
func (u Upstream) IsZero() bool { return u == Upstream{} }

// Check validates u. Errors never repeat a value.
func (u Upstream) Check() error {
	switch {
	case u.Bearer != "" && (u.Username != "" || u.Password != ""):
		return InvalidField("upstream_bearer", "give either a user name with a password or a bearer token for VictoriaMetrics, not both")
	case u.Password != "" && u.Username == "":
		return InvalidField("upstream_username", "the user name for VictoriaMetrics is missing; give it with the password")
	case !headerText(u.Bearer) || !headerText(u.Username) || !headerText(u.Password):
		return InvalidField("upstream_bearer", "a credential for VictoriaMetrics holds a line break or another control character; give it as one line")
	case (u.Cert == "") != (u.Key == ""):
		return InvalidField("upstream_cert", "a client certificate needs its private key; give both")
	}
	_, err := u.TLS()
	return err
}

// headerText reports whether s may stand in an HTTP header.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// Authorization is the value of the header of that name, or "" when there is no credential.
func (u Upstream) Authorization() string {
	switch {
	case u.Bearer != "":
		return "Bearer " + u.Bearer
	case u.Username != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username+":"+u.Password))
	}
	return ""
}

// TLS gives the TLS settings, or nil when they are the usual ones.
func (u Upstream) TLS() (*tls.Config, error) {
	if u.CA == "" && u.Cert == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if u.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(u.CA)) {
			return nil, InvalidField("upstream_ca", "the certificate authority holds no certificate; give a PEM file")
		}
	}
	if u.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(u.Cert), []byte(u.Key))
		if err != nil {
			return nil, InvalidField("upstream_cert", "the client certificate and its private key do not belong together; give two PEM files that do").WithCause(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
