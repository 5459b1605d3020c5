package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// tlsFlags are the certificate files of one listener. Both or none.
type tlsFlags struct {
	Cert string `help:"PEM file of the TLS certificate with its chain; read again when it changes. Default: no TLS." placeholder:"FILE"`
	Key  string `help:"PEM file of the certificate's private key." placeholder:"FILE"`
}

// config gives the TLS settings of the listener, or nil when it has no certificate. Flag names the listener's flags in errors.
func (f tlsFlags) config(flag string, log *slog.Logger) (*tls.Config, error) {
	if f.Cert == "" && f.Key == "" {
		return nil, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "TLS needs both a certificate and its key; give --%s-tls-cert and --%s-tls-key", flag, flag)
	}
	c := &certificate{certFile: f.Cert, keyFile: f.Key, log: log}
	if err := c.load(); err != nil {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "the certificate %s with the key %s cannot be used; give PEM files that belong together", f.Cert, f.Key).WithCause(err)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12, // the oldest that RFC 9325 still recommends; Go picks its own ciphers
		GetCertificate: c.get,
	}, nil
}

// certificateCheck is how often a connection looks whether the files have changed.
const certificateCheck = time.Second

// certificate follows its files, which tools such as certbot and cert-manager replace every few weeks.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	version [2]fileVersion
	looked  time.Time
}

type fileVersion struct {
	changed time.Time
	size    int64
}

func versionOf(path string) fileVersion {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{} // just being replaced, perhaps
	}
	return fileVersion{info.ModTime(), info.Size()}
}

// get is tls.Config.GetCertificate. A new certificate that cannot be used is reported, and the old one stays.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificateCheck {
		return c.current, nil
	}
	c.looked = time.Now()
	if version := c.versions(); version != c.version {
		if err := c.read(); err != nil {
			c.log.Error("the new certificate cannot be used; the old one stays", "file", c.certFile, "error", err)
			c.version = version // do not report it again until the files change once more
		} else {
			c.log.Info("a new certificate is in use", "file", c.certFile)
		}
	}
	return c.current, nil
}

func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Now()
	return c.read()
}

func (c *certificate) versions() [2]fileVersion {
	return [2]fileVersion{versionOf(c.certFile), versionOf(c.keyFile)}
}

func (c *certificate) read() error {
	version := c.versions() // before reading: what changes in between is read again
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.version = &pair, version
	return nil
}
