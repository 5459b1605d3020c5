package snippet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"gatehouse/internal/gatehouse"
)

// Management is how a program does what a form of the console does. It holds no secret: the API key comes from the environment.
type Management struct {
	ID    string // "curl", "terraform" or "cli"
	Title string
	Intro string
	Code  string // ends in a newline
}

const (
	curlIntro      = "Put an API key with Read/Write permissions into the environment variable GATEHOUSE_API_KEY first."
	terraformIntro = "Gatehouse speaks the API of VictoriaMetrics Cloud, whose provider this is. It takes an API key from the environment variable VMCLOUD_API_KEY."
	cliIntro       = "Run it where Gatehouse runs, with GATEHOUSE_DATA_DIR set to its data directory."
)

// TokenForm is what was entered to generate an access token; it may not be valid yet.
type TokenForm struct{ DeploymentID, Name, Access, Tenant string }

// GenerateToken makes the token of the form. consoleURL is where the console is, without a slash at the end.
func GenerateToken(consoleURL string, f TokenForm) []Management {
	body := struct {
		Type        string `json:"type"`
		Description string `json:"description"`
		Tenant      string `json:"tenant_id,omitempty"`
	}{printable(f.Access), printable(f.Name), printable(f.Tenant)}
	curl := post(consoleURL, "/api/v1/deployments/"+printable(f.DeploymentID)+"/access_tokens", body)
	terraform := Management{ID: "terraform", Title: "as Terraform", Intro: terraformIntro, Code: provider(consoleURL) +
		block("victoriametricscloud_access_token", identifier(f.Name, "token"), [][2]string{
			{"deployment_id", hcl(f.DeploymentID)}, {"type", hcl(f.Access)}, {"description", hcl(f.Name)},
		})}
	if f.Tenant != "" {
		terraform = instead("The Terraform provider cannot make access tokens with a tenant. Make it with cURL, and import it by its ID.", curl)
	}
	flags := []string{"--deployment=" + word(f.DeploymentID), "--name=" + word(f.Name), "--access=" + word(f.Access)}
	if f.Tenant != "" {
		flags = append(flags, "--tenant="+word(f.Tenant))
	}
	return []Management{curl, terraform, command("gatehouse token create", flags)}
}

// deploymentBody is a managed deployment as the management API takes it.
type deploymentBody struct {
	Name              string     `json:"name"`
	Type              string     `json:"type,omitempty"`
	Provider          string     `json:"provider,omitempty"`
	Region            string     `json:"region,omitempty"`
	Tier              uint32     `json:"tier"`
	Retention         uint32     `json:"retention,omitempty"`
	RetentionUnit     string     `json:"retention_unit,omitempty"`
	Storage           uint64     `json:"storage_size,omitempty"`
	StorageUnit       string     `json:"storage_size_unit,omitempty"`
	Deduplication     uint32     `json:"deduplication,omitempty"`
	DeduplicationUnit string     `json:"deduplication_unit,omitempty"`
	MaintenanceWindow string     `json:"maintenance_window,omitempty"`
	MaxConcurrent     int        `json:"max_concurrent_requests,omitempty"`
	Flags             *flagsBody `json:"flags,omitempty"`
}

type flagsBody struct {
	Single  []string `json:"single_flags,omitempty"`
	Insert  []string `json:"insert_flags,omitempty"`
	Select  []string `json:"select_flags,omitempty"`
	Storage []string `json:"storage_flags,omitempty"`
}

func bodyOf(s gatehouse.Settings, t gatehouse.DeploymentType) deploymentBody {
	b := deploymentBody{
		Name: printable(s.Name), Tier: tierID(s.Tier, t), Retention: s.Retention.Value, RetentionUnit: printable(s.Retention.Unit),
		MaintenanceWindow: printable(s.MaintenanceWindow), MaxConcurrent: s.MaxConcurrentRequests,
	}
	if s.StorageGB > 0 {
		b.Storage, b.StorageUnit = s.StorageGB, "GB"
	}
	if s.Deduplication.Value > 0 {
		b.Deduplication, b.DeduplicationUnit = s.Deduplication.Value, printable(s.Deduplication.Unit)
	}
	if f := s.Flags; !f.IsZero() {
		b.Flags = &flagsBody{printables(f.Single), printables(f.Insert), printables(f.Select), printables(f.Storage)}
	}
	return b
}

// beyondTerraform reports what VictoriaMetrics Cloud's provider does not know or send.
func (b deploymentBody) beyondTerraform() bool { return b.Flags != nil || b.MaxConcurrent != 0 }

func tierID(name string, t gatehouse.DeploymentType) uint32 {
	if t, ok := gatehouse.TierByName(name); ok && name != "" {
		return t.ID
	}
	return gatehouse.UnlimitedFor(t).ID
}

// CreateDeployment makes the managed deployment that was entered, which may not be valid yet.
func CreateDeployment(consoleURL string, n gatehouse.NewDeployment) []Management {
	s := gatehouse.Settings{
		Name: n.Name, Tier: n.Tier, Retention: n.Retention, StorageGB: n.StorageGB, Deduplication: n.Deduplication, MaintenanceWindow: n.MaintenanceWindow,
		Flags: n.Flags, MaxConcurrentRequests: n.MaxConcurrentRequests,
	}
	flags := append(placeFlags(n), settingFlags(gatehouse.Settings{}, s)...)
	s.Retention = cmp.Or(s.Retention, gatehouse.DefaultRetention)
	body := bodyOf(s, n.Type)
	body.Type, body.Provider = printable(string(n.Type)), printable(cmp.Or(n.Provider, gatehouse.Providers[0]))
	body.Region = printable(cmp.Or(n.Region, gatehouse.Regions[0]))
	curl := post(consoleURL, "/api/v1/deployments", body)
	terraform := Management{ID: "terraform", Title: "as Terraform", Intro: terraformIntro, Code: terraformDeployment(consoleURL, body)}
	if body.beyondTerraform() {
		terraform = instead("The Terraform provider cannot say this. Create it with cURL.", curl)
	}
	return []Management{curl, terraform, command("gatehouse deployment create", flags, n.Name)}
}

// UpdateDeployment gives a managed deployment the settings that were entered, which may not be valid yet. before is how it is.
func UpdateDeployment(consoleURL string, before gatehouse.Deployment, s gatehouse.Settings) []Management {
	body := bodyOf(s, before.Type)
	if before.Connected() {
		body.Tier = gatehouse.Unlimited.ID // by which the API knows those that run elsewhere
	}
	curl := put(consoleURL, "/api/v1/deployments/"+printable(before.ID), body)
	terraform := Management{ID: "terraform", Title: "as Terraform", Code: terraformDeployment(consoleURL, withPlace(body, before)),
		Intro: terraformIntro + " One that Terraform does not know yet is imported first, by its ID."}
	if before.Connected() || body.beyondTerraform() {
		terraform = instead("The Terraform provider cannot say this. Change it with cURL.", curl)
	}
	flags := settingFlags(before.Settings(), s)
	if s.Name != before.Name {
		flags = append(flags, "--rename="+word(s.Name))
	}
	cli := command("gatehouse deployment set", flags, before.ID)
	if len(flags) == 0 { // it refuses to change nothing
		cli = command("gatehouse deployment show", nil, before.ID)
	}
	return []Management{curl, terraform, cli}
}

func withPlace(b deploymentBody, d gatehouse.Deployment) deploymentBody {
	b.Type, b.Region = printable(string(d.Type)), printable(d.Region)
	return b
}

// placeFlags are what the command line takes of a new deployment besides its settings, where that is not the default.
func placeFlags(n gatehouse.NewDeployment) []string {
	var flags []string
	for _, one := range []struct{ flag, value, usual string }{
		{"--type=", string(n.Type), string(gatehouse.SingleNode)},
		{"--provider=", n.Provider, gatehouse.Providers[0]}, {"--region=", n.Region, gatehouse.Regions[0]},
	} {
		if one.value != "" && one.value != one.usual {
			flags = append(flags, one.flag+word(one.value))
		}
	}
	return flags
}

// settingFlags are the settings as the command line takes them. What is none now is said where it was something before.
func settingFlags(before, s gatehouse.Settings) []string {
	var flags []string
	for _, one := range []struct{ flag, before, value, none string }{
		{"--tier=", before.Tier, s.Tier, gatehouse.Unlimited.Name},
		{"--retention=", before.Retention.String(), s.Retention.String(), gatehouse.DefaultRetention.String()},
		{"--storage=", gigabytes(before.StorageGB), gigabytes(s.StorageGB), "0GB"},
		{"--deduplication=", before.Deduplication.String(), s.Deduplication.String(), "0s"},
		{"--maintenance-window=", before.MaintenanceWindow, s.MaintenanceWindow, "any"},
	} {
		if one.value != "" || one.before != "" {
			flags = append(flags, one.flag+word(cmp.Or(one.value, one.none)))
		}
	}
	if s.MaxConcurrentRequests > 0 {
		flags = append(flags, "--max-concurrent-requests="+strconv.Itoa(s.MaxConcurrentRequests))
	}
	return append(flags, engineFlags(before.Flags, s.Flags)...)
}

func gigabytes(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10) + "GB"
}

// engineFlags are the further flags of VictoriaMetrics' programs.
func engineFlags(before, now gatehouse.Flags) []string {
	var flags []string
	gone := false
	for _, p := range gatehouse.Programs {
		gone = gone || len(before.Of(p)) > 0 && len(now.Of(p)) == 0
		for _, f := range now.Of(p) {
			flags = append(flags, flagOption(p)+word(f))
		}
	}
	if gone {
		return append([]string{"--no-flags"}, flags...)
	}
	return flags
}

// flagOption is what the command line takes one of the program's flags with: --storage-flag= for one of storage_flags.
func flagOption(p gatehouse.Program) string {
	return "--" + strings.ReplaceAll(strings.TrimSuffix(p.FlagsField(), "s"), "_", "-") + "="
}

// terraformDeployment is a managed deployment for the provider, which demands some settings that Gatehouse does not.
func terraformDeployment(consoleURL string, b deploymentBody) string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return provider(consoleURL) + block("victoriametricscloud_deployment", identifier(b.Name, "deployment"), [][2]string{
		{"name", hcl(b.Name)}, {"type", hcl(b.Type)},
		{"cloud_provider", hcl("aws")}, // the provider refuses every other, and Gatehouse takes it for itself
		{"region", hcl(b.Region)}, {"tier", number(uint64(b.Tier))},
		{"storage_size", number(cmp.Or(b.Storage, 10))}, {"storage_size_unit", hcl("GB")}, // 10 is the least; it can grow
		{"retention", number(uint64(b.Retention))}, {"retention_unit", hcl(b.RetentionUnit)},
		{"deduplication", number(uint64(b.Deduplication))}, {"deduplication_unit", hcl(cmp.Or(b.DeduplicationUnit, "s"))},
		{"maintenance_window", hcl(cmp.Or(b.MaintenanceWindow, gatehouse.MaintenanceWindows[0]))},
	})
}

// ConnectDeployment connects what was entered, which may not be valid yet. Of its credentials, only the user name is shown.
func ConnectDeployment(consoleURL string, f gatehouse.NewDeployment) []Management {
	body := struct {
		Name                  string   `json:"name"`
		Type                  string   `json:"type"`
		URLs                  []string `json:"urls,omitempty"`
		InsertURLs            []string `json:"insert_urls,omitempty"`
		SelectURLs            []string `json:"select_urls,omitempty"`
		MaxConcurrentRequests int      `json:"max_concurrent_requests,omitempty"`
	}{printable(f.Name), printable(string(f.Type)), printables(f.URLs), printables(f.InsertURLs), printables(f.SelectURLs), f.MaxConcurrentRequests}
	curl := post(consoleURL, "/api/v1/deployments/connect", body)
	if !f.Upstream.IsZero() {
		curl.Intro += " It leaves the credentials out, since every user of the machine could read them in the list of processes; the command line takes them from files."
	}
	flags := []string{"--type=" + word(string(f.Type))}
	for _, urls := range []struct {
		flag string
		all  []string
	}{{"--url=", f.URLs}, {"--insert-url=", f.InsertURLs}, {"--select-url=", f.SelectURLs}} {
		for _, u := range urls.all {
			flags = append(flags, urls.flag+word(u))
		}
	}
	if f.MaxConcurrentRequests > 0 {
		flags = append(flags, "--max-concurrent-requests="+strconv.Itoa(f.MaxConcurrentRequests))
	}
	return []Management{
		curl,
		instead("The Terraform provider knows no deployments that run elsewhere. Connect it with cURL.", curl),
		command("gatehouse deployment connect", append(flags, upstreamFlags(f.Upstream)...), f.Name),
	}
}

// upstreamFlags name files in place of the secrets.
func upstreamFlags(u gatehouse.Upstream) []string {
	var flags []string
	if u.Username != "" {
		flags = append(flags, "--upstream-username="+word(u.Username))
	}
	for _, file := range []struct{ secret, flag string }{
		{u.Password, "--upstream-password-file=PASSWORD_FILE"}, {u.Bearer, "--upstream-bearer-file=TOKEN_FILE"},
		{u.CA, "--upstream-ca-file=CA.pem"}, {u.Cert, "--upstream-cert-file=CERT.pem"}, {u.Key, "--upstream-key-file=KEY.pem"},
	} {
		if file.secret != "" {
			flags = append(flags, file.flag)
		}
	}
	return flags
}

// ListDeployments is a first request with an API key: the key itself or its mask.
func ListDeployments(consoleURL, key string) string {
	return "curl -sS -w '\\n' -H @- " + shellQuote(printable(consoleURL)+"/api/v1/deployments") + " <<'EOF'\n" +
		"X-VM-Cloud-Access: " + printable(key) + "\nEOF\n"
}

func post(consoleURL, path string, body any) Management { return send("", consoleURL, path, body) }

func put(consoleURL, path string, body any) Management {
	return send("-X PUT ", consoleURL, path, body)
}

// send sends body. The shell puts the key into the here-document, which no other user of the machine can read.
func send(method, consoleURL, path string, body any) Management {
	return Management{ID: "curl", Title: "as cURL", Intro: curlIntro, Code: "curl -sS --fail-with-body " + method + "-w '\\n' -H @- \\\n" +
		"  --data-raw " + shellQuote(compact(body)) + " \\\n" +
		"  " + shellQuote(printable(consoleURL)+path) + " <<EOF\n" +
		"X-VM-Cloud-Access: $GATEHOUSE_API_KEY\nEOF\n"}
}

// instead stands where Terraform cannot do it.
func instead(reason string, curl Management) Management {
	return Management{ID: "terraform", Title: "as Terraform", Intro: reason, Code: curl.Code}
}

// command is a line of our own command line. What stands alone comes last.
func command(name string, flags []string, args ...string) Management {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			flags = append(flags, "--") // it would be taken for a flag
		}
		flags = append(flags, word(a))
	}
	return Management{ID: "cli", Title: "as command line", Intro: cliIntro, Code: name + " " + strings.Join(flags, " ") + "\n"}
}

func provider(consoleURL string) string {
	return `terraform {
  required_providers {
    victoriametricscloud = {
      source = "VictoriaMetrics/victoriametricscloud"
    }
  }
}

provider "victoriametricscloud" {
  base_url = ` + hcl(consoleURL) + `
}

`
}

// block is a resource with its attributes, their values in a column as terraform fmt has them.
func block(kind, name string, attributes [][2]string) string {
	width := 0
	for _, a := range attributes {
		width = max(width, len(a[0]))
	}
	var b strings.Builder
	b.WriteString("resource " + hcl(kind) + " " + hcl(name) + " {\n")
	for _, a := range attributes {
		b.WriteString("  " + a[0] + strings.Repeat(" ", width-len(a[0])) + " = " + a[1] + "\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func compact(body any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err) // structs of strings and numbers can always be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func printables(all []string) []string {
	var clean []string
	for _, s := range all {
		clean = append(clean, printable(s))
	}
	return clean
}
