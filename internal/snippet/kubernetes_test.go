package snippet

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// manifest has the fields of a Secret and of a VMAgent that the example uses, as the API of Kubernetes and
// https://docs.victoriametrics.com/operator/api/#vmagentremotewritespec spell them.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	StringData map[string]string `yaml:"stringData"`
	Spec       struct {
		SelectAllByDefault bool `yaml:"selectAllByDefault"`
		RemoteWrite        []struct {
			URL               string `yaml:"url"`
			BearerTokenSecret struct {
				Name string `yaml:"name"`
				Key  string `yaml:"key"`
			} `yaml:"bearerTokenSecret"`
		} `yaml:"remoteWrite"`
	} `yaml:"spec"`
}

func TestKubernetesExampleJoinsSecretAndVMAgent(t *testing.T) {
	all := inputs()
	all["odd"] = oddInput()
	for kind, in := range hostileInputs() {
		all[kind] = in
	}
	// A label of Kubernetes, with room for what the operator puts before it (63 characters are allowed).
	label := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$`)
	for kind, in := range all {
		e, _ := Find(in, "kubernetes")
		var docs []manifest
		for d := yaml.NewDecoder(strings.NewReader(e.Code)); ; {
			d.KnownFields(true)
			var m manifest
			err := d.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", kind, err, e.Code)
			}
			docs = append(docs, m)
		}
		if len(docs) != 2 || docs[0].Kind != "Secret" || docs[1].Kind != "VMAgent" || len(docs[1].Spec.RemoteWrite) != 1 {
			t.Fatalf("%s: the documents are not a Secret and a VMAgent with one URL:\n%s", kind, e.Code)
		}
		secret, agent := docs[0], docs[1]
		if ref := agent.Spec.RemoteWrite[0].BearerTokenSecret; ref.Name != secret.Metadata.Name || secret.StringData[ref.Key] != newTarget(in).Secret {
			t.Errorf("%s: the VMAgent does not find the token in the Secret:\n%s", kind, e.Code)
		}
		for _, m := range docs {
			if !label.MatchString(m.Metadata.Name) {
				t.Errorf("%s: Kubernetes refuses the name %q", kind, m.Metadata.Name)
			}
		}
		if want := newTarget(in).RemoteWriteURL(); agent.Spec.RemoteWrite[0].URL != want {
			t.Errorf("%s: the URL is %q, want %q", kind, agent.Spec.RemoteWrite[0].URL, want)
		}
	}
}
