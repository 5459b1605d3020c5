package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// relay is where a vmalert finds the data of a deployment that it must not ask itself: credentials for a connected VictoriaMetrics stay
// in Gatehouse, and so does the knowledge of its certificates, its path prefixes and which of its URLs answers. It listens on
// loopback, which is open to every user of the machine, and lets in who has a password that one start of one vmalert knows. The
// user name is the deployment's ID, so a password opens no other deployment.
type relay struct {
	data func(deploymentID string) http.Handler // nil: there is nothing to relay to
	log  *slog.Logger

	mu     sync.Mutex
	server *http.Server // nil until somebody needs it
	url    string
	doors  map[string]door // by deployment ID
}

type door struct {
	password [sha256.Size]byte
	data     http.Handler
}

func newRelay(data func(deploymentID string) http.Handler, log *slog.Logger) *relay {
	return &relay{data: data, log: log, doors: map[string]door{}}
}

// open lets in who has the password that it writes to a file in dir, until close is called.
func (r *relay) open(deploymentID, dir string) (t target, close func(), err error) {
	if r.data == nil {
		return target{}, nil, gatehouse.Errorf(gatehouse.Unavailable, "the rules are stored but not evaluated, as no access endpoint runs here; look at the console of gatehouse serve")
	}
	password, file := rand.Text(), relayFiles(dir).password()
	if err := writeFresh(file, password); err != nil {
		return target{}, nil, fmt.Errorf("write the password for the relay: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.listen(); err != nil {
		os.Remove(file)
		return target{}, nil, fmt.Errorf("open the relay: %w", err)
	}
	r.doors[deploymentID] = door{sha256.Sum256([]byte(password)), r.data(deploymentID)}
	return target{url: r.url, username: deploymentID, passwordFile: file}, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.doors, deploymentID)
		os.Remove(file)
	}, nil
}

// listen begins to listen, once. The caller holds the lock.
func (r *relay) listen() error {
	if r.server != nil {
		return nil
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           r,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than vmalert's, which is 50 s
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	}
	r.server, r.url = server, "http://"+ln.Addr().String()
	go r.serve(server, ln)
	return nil
}

// serve returns when the server has ended. Who needs the relay next opens another one.
func (r *relay) serve(server *http.Server, ln net.Listener) {
	err := server.Serve(ln)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server == server {
		r.server = nil
	}
	if err != http.ErrServerClosed {
		r.log.Error("the relay for rules has ended, and rules that use it fail until their vmalert starts anew; restart Gatehouse", "error", err)
	}
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	deploymentID, password, _ := req.BasicAuth()
	r.mu.Lock()
	d, open := r.doors[deploymentID]
	r.mu.Unlock()
	given := sha256.Sum256([]byte(password))
	if same := subtle.ConstantTimeCompare(given[:], d.password[:]) == 1; !open || !same {
		// Strangers get no hold on a connection, by a body that does not come or an answer that they do not read.
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now())
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		w.Header().Set("Connection", "close")
		http.Error(w, "only the vmalert of Gatehouse is served here; use the access endpoint with an access token", http.StatusUnauthorized)
		return
	}
	d.data.ServeHTTP(w, req)
}

// close ends the relay, when nobody needs it any more.
func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		r.server.Close()
	}
}
