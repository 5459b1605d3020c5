package vmauth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

// config is the file that vmauth v1.151 reads with -auth.config, with the fields that only its enterprise version knows.
type config struct {
	Users            []user `yaml:"users"`
	UnauthorizedUser *user  `yaml:"unauthorized_user"`
	IPFilters        any    `yaml:"ip_filters"`
}

// user is somebody who may pass vmauth.
type user struct {
	Name        string `yaml:"name"`
	BearerToken string `yaml:"bearer_token"`
	AuthToken   string `yaml:"auth_token"` // the whole value of the Authorization header
	Username    string `yaml:"username"`
	Password    string `yaml:"password"`
	JWT         any    `yaml:"jwt"`

	URLPrefix             urls     `yaml:"url_prefix"` // for all requests that no URLMap takes
	URLMap                []urlMap `yaml:"url_map"`
	DefaultURL            urls     `yaml:"default_url"`
	MaxConcurrentRequests int      `yaml:"max_concurrent_requests"`
	IPFilters             any      `yaml:"ip_filters"`
	forwarding            `yaml:",inline"`

	TLSCAFile             string `yaml:"tls_ca_file"`
	TLSCertFile           string `yaml:"tls_cert_file"`
	TLSKeyFile            string `yaml:"tls_key_file"`
	TLSServerName         string `yaml:"tls_server_name"`
	TLSInsecureSkipVerify bool   `yaml:"tls_insecure_skip_verify"`

	// What changes nothing for clients and backends.
	DumpRequestOnErrors any `yaml:"dump_request_on_errors"`
	MetricLabels        any `yaml:"metric_labels"`
	AccessLog           any `yaml:"access_log"`
}

// urlMap is a route for some requests of a user.
type urlMap struct {
	SrcPaths     []pattern `yaml:"src_paths"`
	SrcHosts     []string  `yaml:"src_hosts"`
	SrcQueryArgs []string  `yaml:"src_query_args"`
	SrcHeaders   []string  `yaml:"src_headers"`
	URLPrefix    urls      `yaml:"url_prefix"`
	forwarding   `yaml:",inline"`
}

// forwarding is how requests of a route are sent on.
type forwarding struct {
	Headers                []string `yaml:"headers"`
	ResponseHeaders        []string `yaml:"response_headers"`
	KeepOriginalHost       bool     `yaml:"keep_original_host"`
	RetryStatusCodes       []int    `yaml:"retry_status_codes"`
	LoadBalancingPolicy    string   `yaml:"load_balancing_policy"`
	MergeQueryArgs         []string `yaml:"merge_query_args"`
	DropSrcPathPrefixParts int      `yaml:"drop_src_path_prefix_parts"`
	DiscoverBackendIPs     bool     `yaml:"discover_backend_ips"`
}

// urls is one URL, or a list of them.
type urls []string

func (u *urls) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*u = urls{node.Value}
		return nil
	}
	return node.Decode((*[]string)(u))
}

// pattern is a regular expression that must match a whole path.
type pattern struct{ *regexp.Regexp }

func (p *pattern) UnmarshalYAML(node *yaml.Node) (err error) {
	if p.Regexp, err = regexp.Compile("^(?:" + node.Value + ")$"); err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: the regular expression is not valid", node.Line)}}
	}
	return nil
}

// read parses a configuration, whose placeholders like %{NAME} it takes from the environment as vmauth does.
func read(text []byte) (config, error) {
	var c config
	expanded, err := expand(string(text))
	if err != nil {
		return c, err
	}
	decoder := yaml.NewDecoder(strings.NewReader(expanded))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, explain(err)
	}
	return c, nil
}

var placeholder = regexp.MustCompile(`%\{([^{}]*)\}`)

// expand refuses a placeholder whose variable is not set: vmauth would leave it as it stands, and a secret would be another one.
func expand(text string) (string, error) {
	var missing string
	for range 10 { // a value may hold placeholders in turn
		if !placeholder.MatchString(text) {
			return text, nil
		}
		text = placeholder.ReplaceAllStringFunc(text, func(found string) string {
			name := found[2 : len(found)-1]
			value, ok := os.LookupEnv(name)
			if !ok && missing == "" {
				missing = name
			}
			return value
		})
		if missing != "" {
			return "", gatehouse.Errorf(gatehouse.Invalid, "the file uses the environment variable %s, which is not set; set it to what vmauth gets", missing)
		}
	}
	return "", gatehouse.Errorf(gatehouse.Invalid, "the environment variables that the file uses name each other without end; set them to what vmauth gets")
}

var (
	lineNumber   = regexp.MustCompile(`line (\d+)`)
	unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found`)
)

// explain says where the file is wrong. What the parser says would repeat values, which may be secrets; the cause is left out too.
func explain(err error) error {
	text := err.Error()
	if found := unknownField.FindStringSubmatch(text); found != nil {
		return gatehouse.Errorf(gatehouse.Invalid,
			"the file is no vmauth configuration that Gatehouse knows: the field %q in line %s is unknown; remove it if it restricts nobody", found[2], found[1])
	}
	where := ""
	if found := lineNumber.FindStringSubmatch(text); found != nil {
		where = " in line " + found[1]
	}
	return gatehouse.Errorf(gatehouse.Invalid, "the file is no vmauth configuration: it cannot be read%s; check it with: vmauth -dryRun -auth.config FILE", where)
}
