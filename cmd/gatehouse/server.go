package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/internal/access"
	"gatehouse/internal/api"
	"gatehouse/internal/control"
	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/history"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
	"gatehouse/views"
	"gatehouse/web"
)

// engineStopTimeout is how long engines may take to write everything to disk. It has nothing to do with how long requests may go on:
// an engine that is killed while it writes loses samples that clients were told are stored.
const engineStopTimeout = 5 * time.Minute

// historyStopTimeout is that of the VictoriaMetrics that keeps the history: engines may have used up all of theirs.
const historyStopTimeout = 30 * time.Second

// server is a running Gatehouse: the console and the access endpoint over one store.
type server struct {
	log             *slog.Logger
	shutdownTimeout time.Duration
	consoleURL      string // as browsers see it
	trashRetention  time.Duration
	auditRetention  gatehouse.Retention // zero: for ever
	listeners       listeners
	store           *sqlite.Store
	sealer          *secret.Sealer
	control         *control.Control
	feed            *control.Feed
	table           *access.Table
	follower        *access.Follower
	engines         *engine.Supervisor
	gate            *access.Handler
	system          *engine.System
	history         *history.History
	endpoints       sync.Map // of running engines: deployment ID to engine.Endpoint
	setup           *web.Setup
	states          unsavedStates
	ready           atomic.Bool

	console, access, ops service
}

// service is one of the HTTP servers. Whether it speaks TLS is noted here, since net/http sets a TLSConfig of its own in every server.
type service struct {
	*http.Server
	ln     net.Listener
	secure bool
	url    string // under which this machine reaches it
}

func newService(server *http.Server, ln net.Listener, config *tls.Config) service {
	server.TLSConfig = config
	return service{server, ln, config != nil, localURL(ln, config != nil)}
}

func (s service) serve() error {
	if s.secure {
		return s.ServeTLS(s.ln, "", "") // the certificate comes from TLSConfig
	}
	return s.Serve(s.ln)
}

// newServer wires the parts together. Nothing runs yet.
func newServer(k *serveCommand, dataDir string, store *sqlite.Store, sealer *secret.Sealer, open listeners, log *slog.Logger) (*server, error) {
	s := &server{
		log: log, shutdownTimeout: k.ShutdownTimeout, trashRetention: k.TrashRetention, listeners: open, store: store, sealer: sealer,
		feed: control.NewFeed(), table: access.NewTable(log), setup: web.NewSetup(),
	}
	var err error
	if s.auditRetention, err = k.auditRetention(); err != nil {
		return nil, err
	}
	s.engines, err = engine.New(engine.Config{
		Dir: k.EngineDir, DataDir: dataDir, Log: log, OnState: s.noteState, Rules: store.RuleSet, OnRules: s.feed.Notify,
		Data:       func(deploymentID string) http.Handler { return s.gate.Evaluator(deploymentID) },
		ConsoleURL: cmp.Or(strings.TrimRight(k.ConsoleURL, "/"), localURL(open.console, k.ConsoleTLS.Cert != "")),
	})
	if err != nil {
		return nil, err
	}
	if s.system, err = engine.NewSystem(engine.Config{Dir: k.EngineDir, DataDir: dataDir, Log: log}); err != nil {
		return nil, err
	}
	s.history = history.New(history.Config{Endpoint: s.system.Endpoint, Metrics: s.writeMetrics, Limit: s.limitPerToken, Log: log})
	s.follower = access.NewFollower(store, s.apply, log)
	s.control = control.New(control.Config{Store: store, Sealer: sealer, Publish: s.follower.Sync, Live: true, Unstored: s.states.get, DiskUsed: s.diskUsed, Engines: s.engines})
	return s, s.makeServers(k)
}

// makeServers makes the three HTTP servers.
func (s *server) makeServers(k *serveCommand) error {
	consoleTLS, err := k.ConsoleTLS.config("console", s.log)
	if err != nil {
		return err
	}
	accessTLS, err := k.AccessTLS.config("access", s.log)
	if err != nil {
		return err
	}
	proxies, err := parseProxies(k.TrustedProxies)
	if err != nil {
		return err
	}
	accessLog, err := openAccessLog(k.AccessLog)
	if err != nil {
		return err
	}
	s.gate = access.NewHandler(s.table, access.Options{
		MaxQueueDuration: k.MaxQueueDuration, TrustedProxies: proxies, Log: s.log, AccessLog: accessLog,
	})
	endpoint := access.NewServer(s.gate)
	endpoint.Protocols.SetHTTP2(accessTLS != nil)
	s.access = newService(endpoint, s.listeners.access, accessTLS)

	endpointURL, err := publicURL("access_endpoint_url", "the URL of the access endpoint", k.AccessEndpointURL, s.access.url, "https://metrics.example.com")
	if err != nil {
		return err
	}
	consoleURL, err := publicURL("console_url", "the URL of the console", k.ConsoleURL, localURL(s.listeners.console, consoleTLS != nil), "https://gatehouse.example.com")
	if err != nil {
		return err
	}
	s.consoleURL = consoleURL
	provider, err := k.OpenID.provider(consoleURL)
	if err != nil {
		return err
	}
	management, document := api.New(api.Config{
		Control: s.control, AccessEndpointURL: endpointURL, InviteURL: func(code string) string { return consoleURL + views.InviteCodeURL(code) },
		EngineVersion: s.versions(), Figures: s.engines.Figures, TrashRetention: s.trashRetention, TrustedProxies: proxies, RequestRate: k.APIRequestRate, Log: s.log, Version: version(),
	})
	console := web.NewServer(api.Mount(management, web.New(web.Config{
		Control: s.control, Feed: s.feed, Activity: s.table.Activity, Charts: s.history.Charts, Load: s.gate.Load, Explore: s.gate.Reader, Figures: s.engines.Figures, RulesProblem: s.engines.RulesProblem, TrashRetention: s.trashRetention, AccessEndpointURL: endpointURL, EngineAvailable: s.engines.CanRun,
		ConsoleURL: strings.TrimRight(k.ConsoleURL, "/"), OpenID: provider, OpenIDLabel: k.OpenID.Label, Setup: s.setup, TrustedProxies: proxies, Log: s.log, Version: version(), APIDocument: document,
	})))
	s.console = newService(console, s.listeners.console, consoleTLS)
	s.ops = newService(newOpsServer(s.ready.Load, s.writeMetrics), s.listeners.ops, nil)
	for _, server := range []service{s.console, s.access, s.ops} {
		server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	}
	return nil
}

// versions tells which version of VictoriaMetrics a managed deployment of a type will run. Each is asked for once: to ask, it is run.
func (s *server) versions() func(gatehouse.DeploymentType) string {
	once := map[gatehouse.DeploymentType]func() string{}
	for _, t := range gatehouse.DeploymentTypes {
		once[t] = sync.OnceValue(func() string { return s.engines.Version(t) })
	}
	return func(t gatehouse.DeploymentType) string {
		if version, known := once[t]; known {
			return version()
		}
		return "" // as it may be after somebody has changed the database by hand
	}
}

// publicURL is a URL as others see it: the one that is given, or else the one of this machine.
func publicURL(field, what, given, local, example string) (string, error) {
	if given = strings.TrimRight(given, "/"); given == "" {
		return local, nil
	}
	return given, gatehouse.CheckURL(field, what, given, example)
}

// apply passes a stored change on to all who must know.
func (s *server) apply(c gatehouse.Change) {
	if c.Deployment != nil {
		if err := control.OpenUpstream(s.sealer, c.Deployment); err != nil {
			s.shut(*c.Deployment, err)
			return
		}
	}
	s.table.Apply(c)
	s.engines.Apply(c)
	switch {
	case c.Deployment != nil:
		s.feed.Notify(c.Deployment.ID)
	case c.Token != nil:
		s.feed.Notify(c.Token.DeploymentID)
	case c.GoneDeployment != "":
		s.feed.Notify(c.GoneDeployment)
	case c.GoneToken != nil:
		s.feed.Notify("") // the hash does not say whose it was
	}
}

// shut keeps a deployment out of use whose upstream settings cannot be opened. Without them, requests would go to whoever answers.
func (s *server) shut(d gatehouse.Deployment, err error) {
	s.log.Error("a deployment cannot be used", "deployment", d.Name, "error", err)
	d.URLs, d.InsertURLs, d.SelectURLs = nil, nil, nil
	s.table.Apply(gatehouse.Change{Deployment: &d})
	s.noteState(d.ID, gatehouse.State{Status: gatehouse.Failed, At: time.Now(),
		Detail: "its credentials for VictoriaMetrics cannot be opened; put back the keyset file that was in use when it was connected, or delete it and connect it again"}, nil)
}

// noteState passes on how a deployment is doing.
func (s *server) noteState(deploymentID string, state gatehouse.State, endpoint *engine.Endpoint) {
	if endpoint != nil {
		s.endpoints.Store(deploymentID, *endpoint)
		s.table.SetEngine(deploymentID, &access.Engine{
			URL: endpoint.URL, InsertURL: endpoint.InsertURL, SelectURL: endpoint.SelectURL, Username: endpoint.Username, Password: endpoint.Password,
		})
	} else {
		s.endpoints.Delete(deploymentID)
		s.table.SetEngine(deploymentID, nil)
	}
	s.states.set(deploymentID, state)
	if err := s.saveStates(context.Background()); err != nil {
		s.log.Error("the state of a deployment could not be stored yet", "deployment", deploymentID, "status", state.Status, "error", err)
		s.feed.Notify(deploymentID) // pages show it all the same
	}
}

// saveStates stores the states that are not stored yet.
func (s *server) saveStates(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.states.save(func(id string, state gatehouse.State) error {
		if err := s.store.SetState(ctx, id, state); err != nil {
			return err
		}
		s.feed.Notify(id)
		return nil
	})
}

// run prepares, serves until ctx ends or a server fails, and stops everything in order: engines last, since running requests need
// them, and the one of the history after all others.
func (s *server) run(ctx context.Context) error {
	s.system.Start()
	err := s.prepare(ctx)
	if err == nil {
		err = s.serve(ctx)
	}
	stopping, cancel := context.WithTimeout(context.Background(), engineStopTimeout)
	defer cancel()
	s.control.Close(stopping)
	s.engines.Stop(stopping)
	atLast, cancelLast := context.WithTimeout(context.Background(), historyStopTimeout)
	defer cancelLast()
	s.system.Stop(atLast)
	return err
}

// prepare loads the access table, starts the engines, and sees to it that somebody can sign in.
func (s *server) prepare(ctx context.Context) error {
	if err := s.store.PruneChanges(ctx); err != nil {
		return err
	}
	if err := s.follower.Load(ctx); err != nil {
		return err
	}
	if err := s.discardOrphans(ctx); err != nil {
		return err
	}
	if err := s.engines.Available(); err != nil {
		s.log.Warn("Gatehouse cannot run a VictoriaMetrics itself: "+gatehouse.ErrorMessage(err),
			"remedy", "gatehouse deployment connect NAME --type single_node --url URL, or Connect existing in the console")
	} else if err := s.control.EnsureDefaultDeployment(ctx, gatehouse.Actor{Kind: gatehouse.System, Name: "first start", Role: gatehouse.Admin}); err != nil {
		return err
	}
	return s.welcome(ctx)
}

// discardOrphans moves the data of deployments that were deleted while no server ran to the trash.
func (s *server) discardOrphans(ctx context.Context) error {
	folders, err := s.engines.Folders()
	if err != nil {
		return err
	}
	for _, id := range folders {
		_, err := s.store.FindDeployment(ctx, id)
		if err == nil {
			continue
		}
		if gatehouse.ErrorCode(err) != gatehouse.NotFound {
			return err
		}
		deleted, err := s.store.WasDeleted(ctx, id)
		if err != nil {
			return err
		}
		if deleted {
			s.engines.Apply(gatehouse.Change{GoneDeployment: id})
		} else {
			s.log.Warn("the data directory holds a deployment that the database does not know; its data stays where it is. Is this the right database?", "deployment", id)
		}
	}
	return nil
}

// welcome makes the first admin from the environment, or prints the one-time link that leads to the page that does.
func (s *server) welcome(ctx context.Context) error {
	email, password := os.Getenv("GATEHOUSE_ADMIN_EMAIL"), os.Getenv("GATEHOUSE_ADMIN_PASSWORD")
	os.Unsetenv("GATEHOUSE_ADMIN_PASSWORD")
	has, err := s.control.HasUsers(ctx)
	if err != nil || has {
		return err
	}
	if email == "" && password == "" {
		s.log.Info("there is no user yet; open this link to create the first admin", "url", s.console.url+s.setup.Path())
		return nil
	}
	if _, err := s.control.CreateFirstAdmin(ctx, "", email, password); err != nil {
		return gatehouse.Errorf(gatehouse.ErrorCode(err), "the first admin cannot be made from GATEHOUSE_ADMIN_EMAIL and GATEHOUSE_ADMIN_PASSWORD: %s", gatehouse.ErrorMessage(err)).WithCause(err)
	}
	s.log.Info("the first admin was made from the environment", "email", email)
	return nil
}

// serve runs the three servers and the background work. The first failure stops all.
func (s *server) serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	var work errgroup.Group
	work.Go(func() error { s.follower.Run(background); return nil })
	work.Go(func() error { s.flushUses(background); return nil })
	work.Go(func() error { s.history.Run(background); return nil })
	work.Go(func() error { s.retryStates(background); return nil })
	work.Go(func() error { s.emptyTrash(background); return nil })
	work.Go(func() error { s.pruneAudit(background); return nil })
	work.Go(func() error { s.noteAuditHead(background); return nil })

	for _, one := range []service{s.console, s.access, s.ops} {
		group.Go(func() error {
			err := one.serve()
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		})
	}
	s.ready.Store(true)
	s.log.Info("gatehouse is ready", "console", s.console.url, "access", s.access.url, "ops", s.ops.url)

	group.Go(func() error {
		<-ctx.Done()
		s.ready.Store(false)
		s.log.Info("stopping; running requests may finish", "timeout", s.shutdownTimeout)
		s.shutdown(s.console, s.access)
		stopBackground()
		work.Wait()
		s.shutdown(s.ops)
		return nil
	})
	return group.Wait()
}

// shutdown lets running requests finish, side by side, and cuts them off at the deadline.
func (s *server) shutdown(servers ...service) {
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdownTimeout)
	defer cancel()
	var group errgroup.Group
	for _, server := range servers {
		group.Go(func() error {
			if err := server.Shutdown(ctx); err != nil {
				return server.Close()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		s.log.Warn("a server did not stop cleanly", "error", err)
	}
}
