package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCertificate makes a self-signed certificate for 127.0.0.1 with the given serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "gatehouse test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// serialOf makes a new connection and gives the serial number of the certificate that it is shown.
func serialOf(address string) (int64, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	cert, key := writeCertificate(t, files, 1)
	dir := newDataDir(t)
	p := serve(t, dir, "--console-tls-cert", cert, "--console-tls-key", key, "--access-tls-cert", cert, "--access-tls-key", key)
	p.waitRunning("default")
	reader := newToken(t, dir, "default", "reader", "r")

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest("GET", p.access+"/api/v1/query?query=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+reader)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, resp); resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("a query over TLS answered %d over %s: %s", resp.StatusCode, resp.Proto, body)
	}
	resp, err = client.Get(p.console + "/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, resp)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the console over TLS answered %d", resp.StatusCode)
	}
	if _, err := tls.Dial("tcp", p.access[len("https://"):], &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}

	writeCertificate(t, files, 2)
	eventually(t, "the new certificate is in use", func() error {
		serial, err := serialOf(p.access)
		if err == nil && serial != 2 {
			err = fmt.Errorf("serial number %d", serial)
		}
		return err
	})
	if err := os.WriteFile(cert, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(certificateCheck + 100*time.Millisecond) // until the files are looked at again
	if serial, err := serialOf(p.access); err != nil || serial != 2 {
		t.Errorf("with a broken file in its place the old certificate must stay: serial number %d, %v", serial, err)
	}
}

func TestServeRefusesBadTLSFiles(t *testing.T) {
	t.Parallel()
	cert, _ := writeCertificate(t, t.TempDir(), 1)
	_, otherKey := writeCertificate(t, t.TempDir(), 2)
	refusesToServe(t, newDataDir(t), "both a certificate and its key", "--access-tls-cert", cert)
	refusesToServe(t, newDataDir(t), "belong together", "--access-tls-cert", cert, "--access-tls-key", otherKey)
	refusesToServe(t, newDataDir(t), "write it like 10.0.0.0/8", "--trusted-proxies", "everyone")
}
