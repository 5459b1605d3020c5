package gatehouse

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DeploymentType is the shape of a VictoriaMetrics: one program, or a cluster of vminsert, vmselect and vmstorage.
type DeploymentType string

const (
	SingleNode DeploymentType = "single_node"
	Cluster    DeploymentType = "cluster"
)

// DeploymentTypes are all types.
var DeploymentTypes = []DeploymentType{SingleNode, Cluster}

// ParseDeploymentType reads "single_node" or "cluster".
func ParseDeploymentType(s string) (DeploymentType, error) {
	switch t := DeploymentType(s); t {
	case SingleNode, Cluster:
		return t, nil
	}
	return "", InvalidField("type", "the deployment type %q is unknown; choose single_node or cluster", shorten(s))
}

// Label is the type as the screen shows it.
func (t DeploymentType) Label() string {
	if t == Cluster {
		return "Cluster"
	}
	return "Single node"
}

// DefaultMaxConcurrentRequests is how many requests one token may have running at a time unless its deployment says otherwise,
// https://docs.victoriametrics.com/victoriametrics-cloud/tiers-parameters/.
const DefaultMaxConcurrentRequests = 600

// MostConcurrentRequests bounds what a deployment may say.
const MostConcurrentRequests = 100_000

// MostURLs bounds the URLs of one part of a deployment.
const MostURLs = 100

// DefaultDeploymentName is the deployment that the very first start makes.
const DefaultDeploymentName = "default"

// Deployment is one VictoriaMetrics that Gatehouse knows. A managed one is started and stopped by Gatehouse and has no URLs
// here; a connected one runs elsewhere at the given URLs.
type Deployment struct {
	ID         string // UUID
	Name       string
	Type       DeploymentType
	Managed    bool
	URLs       []string // connected single node: where VictoriaMetrics answers
	InsertURLs []string // connected cluster: vminsert
	SelectURLs []string // connected cluster: vmselect
	Tier       string   // name of a Tier, or empty for no limits
	Retention  Retention
	// The settings below are kept for the management API; see Settings.
	Provider          string // as it was sent: one of Providers
	Region            string
	StorageGB         uint64
	Deduplication     Deduplication
	MaintenanceWindow string
	Flags             Flags
	// StoppedBy is who has stopped a managed deployment, or empty: then it runs.
	StoppedBy string
	// NotifierURL is the Alertmanager that gets the alerts of the deployment's rules; empty: none does.
	NotifierURL string
	// MaxConcurrentRequests is the limit per token.
	MaxConcurrentRequests int
	CreatedAt             time.Time
	CreatedBy             string // email of the person, or "command line"
	// SealedUpstream is the Upstream of a connected deployment at rest; empty when it has none.
	SealedUpstream []byte
	// Upstream is opened only for those who talk to the deployment.
	Upstream Upstream
	// State is how the deployment was doing when a server last looked. A Change does not carry it.
	State State
}

// Connected reports whether the deployment runs elsewhere.
func (d Deployment) Connected() bool { return !d.Managed }

// Settings gives what may be changed of d. Given back unchanged, they change nothing.
func (d Deployment) Settings() Settings {
	return Settings{
		Name: d.Name, Tier: d.Tier, Retention: d.Retention, StorageGB: d.StorageGB, Deduplication: d.Deduplication,
		MaintenanceWindow: d.MaintenanceWindow, Flags: d.Flags,
	}
}

// NewDeployment is the input from which a deployment is made.
type NewDeployment struct {
	Name                  string
	Type                  DeploymentType
	URLs                  []string  // connected only
	InsertURLs            []string  // connected only
	SelectURLs            []string  // connected only
	Tier                  string    // managed only
	Retention             Retention // managed only
	MaxConcurrentRequests int       // 0 takes the tier's, or the default
	Upstream              Upstream  // connected only

	// Managed only; zero values take the defaults.
	Provider          string
	Region            string
	StorageGB         uint64
	Deduplication     Deduplication
	MaintenanceWindow string
	Flags             Flags
}

func (n NewDeployment) settings() Settings {
	return Settings{
		Name: n.Name, Tier: n.Tier, Retention: n.Retention, StorageGB: n.StorageGB, Deduplication: n.Deduplication, MaintenanceWindow: n.MaintenanceWindow,
		Flags: n.Flags,
	}
}

// CheckManaged validates n as a deployment that Gatehouse runs itself.
func (n NewDeployment) CheckManaged() error {
	if err := n.check(); err != nil {
		return err
	}
	if len(n.URLs)+len(n.InsertURLs)+len(n.SelectURLs) > 0 {
		return InvalidField("url", "a managed deployment has no URL; connect an existing VictoriaMetrics instead")
	}
	if !n.Upstream.IsZero() {
		return InvalidField("upstream_username", "a managed deployment needs no credential; Gatehouse makes its own")
	}
	if n.Provider != "" && !slices.Contains(Providers, n.Provider) {
		return InvalidField("provider", "the provider %q is unknown; choose one of %s", shorten(n.Provider), strings.Join(Providers, ", "))
	}
	if n.Region != "" && !slices.Contains(Regions, n.Region) {
		return InvalidField("region", "the region %q is unknown; choose one of %s", shorten(n.Region), strings.Join(Regions, ", "))
	}
	return n.settings().Check(n.Type)
}

// CheckConnected validates n as a deployment that runs elsewhere.
func (n NewDeployment) CheckConnected() error {
	if err := n.check(); err != nil {
		return err
	}
	if n.Tier != "" || n.Retention != (Retention{}) {
		return InvalidField("tier", "a connected deployment has no tier and no retention here; set its limits where it runs")
	}
	if err := n.Upstream.Check(); err != nil {
		return err
	}
	if n.Type == SingleNode {
		if len(n.InsertURLs)+len(n.SelectURLs) > 0 {
			return InvalidField("url", "insert and select URLs belong to a cluster; give the one URL of the single node, or choose the type cluster")
		}
		return checkURLs("url", "the URL of VictoriaMetrics", n.URLs)
	}
	if len(n.URLs) > 0 {
		return InvalidField("url", "a cluster has two URLs; give the one of vminsert and the one of vmselect")
	}
	if err := checkURLs("insert_url", "the URL of vminsert", n.InsertURLs); err != nil {
		return err
	}
	return checkURLs("select_url", "the URL of vmselect", n.SelectURLs)
}

func (n NewDeployment) check() error {
	if err := CheckName(n.Name); err != nil {
		return err
	}
	if _, err := ParseDeploymentType(string(n.Type)); err != nil {
		return err
	}
	return checkConcurrentRequests(n.MaxConcurrentRequests)
}

const exampleBackend = "http://10.0.0.5:8428"

func checkURLs(field, what string, urls []string) error {
	if len(urls) == 0 {
		return InvalidField(field, "%s is missing; write it like %s", what, exampleBackend)
	}
	if len(urls) > MostURLs {
		return InvalidField(field, "there are %d URLs; give at most %d", len(urls), MostURLs)
	}
	for _, u := range urls {
		if err := CheckURL(field, what, u, exampleBackend); err != nil {
			return err
		}
	}
	return nil
}

// ParseNotifier reads the URL of an Alertmanager, or nothing for none.
func ParseNotifier(text string) (url string, err error) {
	if url = strings.TrimRight(strings.TrimSpace(text), "/"); url == "" {
		return "", nil
	}
	return url, CheckURL("notifier_url", "the URL of the notifier", url, "http://alertmanager:9093")
}

// CheckURL takes http and https URLs with an optional path; example is one for the message. Credentials inside a URL are refused: URLs are shown on screen, in
// lists and in the log.
func CheckURL(field, what, raw, example string) error {
	if len(raw) > 2000 {
		return InvalidField(field, "%s is longer than 2000 characters; shorten it", what)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		// The input is not repeated: it may hold a password.
		return InvalidField(field, "%s is not a full http or https URL; write it like %s", what, example)
	case u.User != nil:
		return InvalidField(field, "%s holds a user name or password, which every page and log would show; remove them", what)
	case linkLocal(u.Hostname()):
		return InvalidField(field, "%s is a link-local address, where clouds hand out credentials to their machines; give another one", what)
	case !validPort(u.Port()):
		return InvalidField(field, "%s has no valid port; write a number from 1 to 65535", what)
	case strings.ContainsAny(raw, "?#"): // also an empty one, which url.URL does not keep
		return InvalidField(field, "%s ends in a query or fragment; give only scheme, host, port and path", what)
	case strings.Contains(u.EscapedPath(), "%") || strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return InvalidField(field, "%s has an unusual path; give a plain one, without escapes, .. or //", what)
	}
	return nil
}

// linkLocal reports an IPv4 address such as 169.254.169.254. A name that leads there is not found out: editors are trusted not to mean it.
func linkLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().Is4() && addr.Unmap().IsLinkLocalUnicast()
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// Status is how a deployment is doing, as VictoriaMetrics Cloud's API spells it.
type Status string

const (
	Provisioning Status = "PROVISIONING"
	Running      Status = "RUNNING"
	Failed       Status = "ERROR"
	Stopped      Status = "STOPPED"
)

// Label is the status as the screen shows it.
func (s Status) Label() string {
	switch s {
	case Provisioning:
		return "Provisioning"
	case Running:
		return "Running"
	case Failed:
		return "Error"
	case Stopped:
		return "Stopped"
	}
	return "Unknown"
}

// State is the status with its explanation.
type State struct {
	Status  Status
	Detail  string // one sentence with the remedy, for Failed and Stopped; may be empty
	Version string // of VictoriaMetrics, such as "v1.151.0"; empty when not known
	At      time.Time
}
