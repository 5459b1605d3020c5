package snippet

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

// oddInput holds printable characters that mean something in one format or another.
func oddInput() Input {
	in := inputs()["single_node"]
	in.DeploymentName = `Straße "x" \n 'y' #1: {a} $HOME ${HOME} %{HOME} &amp; • 監視`
	in.Secret = `a"b\c'd#e: $HOME ${HOME} $$ %{HOME} {{x}} • <>&|` + "`"
	return in
}

func TestConfigurationFilesHoldExactlyTheirValues(t *testing.T) {
	same := func(s string) string { return s }
	// The programs replace $$ by $ after parsing.
	undouble := func(s string) string { return strings.ReplaceAll(s, "$$", "$") }
	f := func(id, keys, want string, read func(string) string) {
		t.Helper()
		e, _ := Find(oddInput(), id)
		var v any
		switch e.Language {
		case "yaml":
			var err error
			if v, err = parseYAML(e.Code); err != nil {
				t.Fatalf("%s does not parse: %v\n%s", id, err, e.Code)
			}
		case "toml":
			if err := toml.Unmarshal([]byte(e.Code), &v); err != nil {
				t.Fatalf("%s does not parse: %v\n%s", id, err, e.Code)
			}
		default:
			t.Fatalf("%s is %s", id, e.Language)
		}
		if got, _ := walk(v, keys).(string); read(got) != want {
			t.Errorf("%s holds %q at %s, want %q", id, read(got), keys, want)
		}
	}
	in := oddInput()
	f("prometheus", "remote_write.0.authorization.credentials", in.Secret, same)
	f("prometheus", "remote_write.0.url", "https://metrics.example.com/api/v1/write", same)
	f("kubernetes", "0.stringData.token", in.Secret, same)
	f("kubernetes", "1.spec.remoteWrite.0.url", "https://metrics.example.com/api/v1/write", same)
	f("kubernetes", "1.spec.remoteWrite.0.bearerTokenSecret.name", newTarget(in).Slug(), same)
	f("opentelemetry", "exporters.otlphttp/gatehouse.headers.Authorization", "Bearer "+in.Secret, undouble)
	f("opentelemetry", "exporters.otlphttp/gatehouse.metrics_endpoint", "https://metrics.example.com/opentelemetry/v1/metrics", undouble)
	f("telegraf", "outputs.influxdb_v2.0.token", in.Secret, same)
	f("telegraf", "outputs.influxdb_v2.0.urls.0", "https://metrics.example.com/influx", same)
	f("vector", "sinks.gatehouse.auth.token", in.Secret, same)
	f("vector", "sinks.gatehouse.endpoint", "https://metrics.example.com/api/v1/write", same)
	f("datadog", "api_key", in.Secret, same)
	f("datadog", "dd_url", "https://metrics.example.com/datadog", same)
	f("grafana-provisioning", "datasources.0.name", in.DeploymentName, undouble)
	f("grafana-provisioning", "datasources.0.secureJsonData.httpHeaderValue1", "Bearer "+in.Secret, undouble)
	f("perses", "0.spec.authorization.credentials", in.Secret, same)
	f("perses", "1.spec.display.name", in.DeploymentName, same)
	f("perses", "1.spec.plugin.spec.proxy.spec.secret", newTarget(in).Slug(), same)
}

// parseYAML gives a document, or a list of them where there are several.
func parseYAML(code string) (any, error) {
	var all []any
	for d := yaml.NewDecoder(strings.NewReader(code)); ; {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// walk follows keys and indexes, separated by dots, into parsed YAML or TOML.
func walk(v any, keys string) any {
	for key := range strings.SplitSeq(keys, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []map[string]any:
			v = x[int(key[0]-'0')]
		case []any:
			v = x[int(key[0]-'0')]
		default:
			return nil
		}
	}
	return v
}

func TestDollarSignsAreHiddenFromProgramsThatReplaceThemFirst(t *testing.T) {
	for _, id := range []string{"telegraf", "vector"} {
		if e, _ := Find(oddInput(), id); strings.Contains(e.Code, "$") {
			t.Errorf("%s would replace a variable in:\n%s", id, e.Code)
		}
	}
}

func TestHostileInputAddsNothingToConfigurationFiles(t *testing.T) {
	plain := inputs()["single_node"]
	for kind, in := range hostileInputs() {
		for _, e := range Examples(in) {
			if e.Language != "yaml" {
				continue
			}
			got, err := parseYAML(e.Code)
			if err != nil {
				t.Errorf("%s: %s does not parse: %v\n%s", kind, e.ID, err, e.Code)
				continue
			}
			harmless, _ := Find(plain, e.ID)
			want, err := parseYAML(harmless.Code)
			if err != nil {
				t.Fatal(err)
			}
			if shape(got) != shape(want) {
				t.Errorf("%s: %s has other keys than it should:\n%s", kind, e.ID, e.Code)
			}
		}
	}
}

// shape is the keys of parsed YAML without the values.
func shape(v any) string {
	switch x := v.(type) {
	case map[string]any:
		keys := make(map[string]string, len(x))
		for k, v := range x {
			keys[k] = shape(v)
		}
		out, err := yaml.Marshal(keys) // sorted
		if err != nil {
			return err.Error()
		}
		return string(out)
	case []any:
		var b strings.Builder
		for _, v := range x {
			b.WriteString("- " + shape(v) + "\n")
		}
		return b.String()
	}
	return "value"
}

func TestPromtoolAcceptsThePrometheusExample(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing; install Debian's package prometheus, or run: go tool task test")
	}
	all := inputs()
	all["odd"] = oddInput()
	for kind, in := range all {
		e, _ := Find(in, "prometheus")
		file := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(file, []byte(e.Code), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(promtool, "check", "config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s\n%s", kind, err, out, e.Code)
		}
	}
}

func TestGrafanaStepsNameTheURLForEachKind(t *testing.T) {
	f := func(kind, want string) {
		t.Helper()
		for _, id := range []string{"grafana", "grafana-provisioning"} {
			if e, _ := Find(inputs()[kind], id); !strings.Contains(e.Code, want) {
				t.Errorf("%s: %s lacks %s:\n%s", kind, id, want, e.Code)
			}
		}
	}
	f("single_node", "https://metrics.example.com")
	f("cluster_tenant", "https://metrics.example.com/prometheus")
	f("cluster_any_tenant", "https://metrics.example.com/select/0/prometheus")
}

func TestSlashesAtTheEndOfTheEndpointAreNotDoubled(t *testing.T) {
	in := inputs()["single_node"]
	in.EndpointURL, in.Access = "https://metrics.example.com/", gatehouse.Write
	if e, _ := Find(in, "curl-write"); !strings.Contains(e.Code, "'https://metrics.example.com/api/v1/import/prometheus'") {
		t.Errorf("the URL is wrong:\n%s", e.Code)
	}
}
