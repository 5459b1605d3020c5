package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

type serveCommand struct {
	ConsoleListen     string        `help:"Address of the console." default:"127.0.0.1:8420" placeholder:"ADDR"`
	AccessListen      string        `help:"Address of the access endpoint." default:"127.0.0.1:8427" placeholder:"ADDR"`
	OpsListen         string        `help:"Address of metrics, health checks and profiles. Keep it private." default:"127.0.0.1:8426" placeholder:"ADDR"`
	AccessEndpointURL string        `help:"URL of the access endpoint as clients see it. Default: http:// and its address." placeholder:"URL" name:"access-endpoint-url"`
	ConsoleURL        string        `help:"URL of the console as browsers see it. Default: http:// and its address." placeholder:"URL" name:"console-url"`
	ConsoleTLS        tlsFlags      `embed:"" prefix:"console-tls-"`
	AccessTLS         tlsFlags      `embed:"" prefix:"access-tls-"`
	OpenID            openIDFlags   `embed:"" prefix:"openid-"`
	TrustedProxies    []string      `help:"Addresses or CIDR ranges of load balancers whose X-Forwarded-* headers are believed." placeholder:"CIDR"`
	APIRequestRate    float64       `help:"Requests per second that one API key may make on the management API; 0 is no limit." name:"api-request-rate" default:"100" placeholder:"N"`
	EngineDir         string        `help:"Directory of the VictoriaMetrics programs. Default: that of gatehouse, then PATH." placeholder:"DIR"`
	TrashRetention    time.Duration `help:"How long a deleted managed deployment can be restored before its data is freed." default:"168h"`
	MaxQueueDuration  time.Duration `help:"How long a request over its token's limit waits before it is refused." default:"10s"`
	ShutdownTimeout   time.Duration `help:"How long running requests may go on after SIGTERM." default:"30s"`
	AuditRetention    string        `help:"How long records of the audit log are kept: days like 400d, months like 24m, or 0 for ever." default:"0"`
	AccessLog         string        `help:"File to which a JSON line for each request to the access endpoint is added; - is standard output. Default: none." placeholder:"FILE"`
	LogFormat         string        `help:"Format of the log on stderr: text or json." enum:"text,json" default:"text"`
}

// Run serves until ctx ends or a listener fails.
func (k *serveCommand) Run(ctx context.Context, c *commands, s *streams) error {
	log := k.logger(s.err)
	if err := c.createDataDir(); err != nil {
		return err
	}
	lock, err := lockDataDir(c.DataDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	seen, known, err := sqlite.Version(ctx, c.databasePath())
	if err != nil {
		return err
	}
	store, sealer, err := c.openData(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if seen > 0 && seen < known {
		log.Info("the database was brought up to date; an older Gatehouse cannot open it any more", "from", seen, "to", known)
	}
	open, err := k.listen()
	if err != nil {
		return err
	}
	defer open.close()
	server, err := newServer(k, c.DataDir, store, sealer, open, log)
	if err != nil {
		return err
	}
	// For commands that print links.
	if err := writeAddress(lock, server.consoleURL); err != nil {
		return err
	}
	return server.run(ctx)
}

func (k *serveCommand) logger(w io.Writer) *slog.Logger {
	if k.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// listeners are opened all together before any serves, so that a taken port stops the start before anything has happened.
type listeners struct{ console, access, ops net.Listener }

func (k *serveCommand) listen() (listeners, error) {
	var l listeners
	var err error
	open := func(flag, addr string) net.Listener {
		if err != nil {
			return nil
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", addr); err != nil {
			err = gatehouse.Errorf(gatehouse.Unavailable, "cannot listen on %s; is the address right, or does another program use the port? give another with --%s", addr, flag).WithCause(err)
		}
		return ln
	}
	l.console = open("console-listen", k.ConsoleListen)
	l.access = open("access-listen", k.AccessListen)
	l.ops = open("ops-listen", k.OpsListen)
	if err != nil {
		l.close()
	}
	return l, err
}

func (l listeners) close() {
	for _, ln := range []net.Listener{l.console, l.access, l.ops} {
		if ln != nil {
			ln.Close()
		}
	}
}

// localURL gives a URL under which this machine reaches a listener.
func localURL(ln net.Listener, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	host, port, _ := net.SplitHostPort(ln.Addr().String()) // a TCP address always splits
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return scheme + net.JoinHostPort(host, port)
}

// parseProxies reads addresses and CIDR ranges.
func parseProxies(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, gatehouse.Errorf(gatehouse.Invalid, "the trusted proxy %q is neither an address nor a CIDR range; write it like 10.0.0.0/8", text).WithCause(err)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// openAccessLog gives nil when none is asked for. Lines are added to the file, which logrotate may move away with copytruncate.
func openAccessLog(path string) (*slog.Logger, error) {
	switch path {
	case "":
		return nil, nil
	case "-":
		return slog.New(slog.NewJSONHandler(os.Stdout, nil)), nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "the access log %s cannot be written; give a file in a folder that exists and is writable", path).WithCause(err)
	}
	return slog.New(slog.NewJSONHandler(f, nil)), nil
}
