package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpstreamCredentialsAndCertificates connects a backend behind TLS of its own authority that asks for a client certificate and
// a credential.
func TestUpstreamCredentialsAndCertificates(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	cert, key := writeCertificate(t, files, 7)
	const password = "upstream-secret-7"
	passwordFile := filepath.Join(files, "password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vm := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if user != "gate" || given != password {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.Write([]byte("OK"))
	}))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	clients.AddCert(leaf)
	vm.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAnyClientCert}
	vm.StartTLS()
	defer vm.Close()
	url := strings.Replace(vm.URL, "127.0.0.1", "localhost", 1) // the name in the certificate

	dir := newDataDir(t)
	p := serve(t, dir)
	must(t, dir, "", "deployment", "connect", "guarded", "--type", "single_node", "--url", url,
		"--upstream-username", "gate", "--upstream-password-file", passwordFile,
		"--upstream-ca-file", cert, "--upstream-cert-file", cert, "--upstream-key-file", key)
	p.waitRunning("guarded")
	value := newToken(t, dir, "guarded", "n", "r")
	if a := p.request("GET", value, "/api/v1/query?query=1", ""); a.status != http.StatusOK {
		t.Errorf("a query answered %d: %s", a.status, a.body)
	}
	for _, args := range [][]string{{"deployment", "show", "guarded"}, {"deployment", "show", "guarded", "--json"}} {
		if out := must(t, dir, "", args...); strings.Contains(out, password) || strings.Contains(out, "PRIVATE KEY") {
			t.Errorf("%v shows a secret:\n%s", args, out)
		}
	}
	for _, file := range []string{"gatehouse.db", "gatehouse.db-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil && (strings.Contains(string(content), password) || strings.Contains(string(content), "PRIVATE KEY")) {
			t.Errorf("%s holds an upstream secret in plain text", file)
		}
	}

	refused := func(message string, args ...string) {
		t.Helper()
		r := command(t, dir, "", append([]string{"deployment", "connect", "bad", "--type", "single_node", "--url", url}, args...)...)
		if r.code != exitFailed || !strings.Contains(r.err, message) {
			t.Errorf("connect %v: exit code %d, %q, want %q", args, r.code, r.err, message)
		}
	}
	refused("user name for VictoriaMetrics is missing", "--upstream-password-file", passwordFile)
	refused("not both", "--upstream-username", "u", "--upstream-bearer-file", passwordFile)
	refused("give both", "--upstream-cert-file", cert)
	refused("holds no certificate", "--upstream-ca-file", passwordFile)
	refused("belong together", "--upstream-cert-file", cert, "--upstream-key-file", cert)
	refused("cannot be read", "--upstream-ca-file", filepath.Join(files, "missing"))
}
