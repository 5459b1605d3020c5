package engine

import (
	"net"
	"strconv"
	"sync"

	"gatehouse/internal/gatehouse"
)

// ports are those of one start of a program, all on loopback.
type ports struct {
	http int // on which it listens
	rpc      // of a cluster
}

// rpc is where vmstorage takes samples and queries, from vminsert and from vmselect. VictoriaMetrics knows no credential there.
type rpc struct{ insert, query int }

// portBook gives out ports for the programs of one deployment.
type portBook struct {
	mu  sync.Mutex
	rpc rpc
}

// pick gives a program the ports for its next start. Those of vmstorage stay as they were, since vminsert waits there with samples that
// it has accepted, unless another program took one meanwhile.
func (b *portBook) pick(p gatehouse.Program) (at ports, err error) {
	free, err := freePorts(3)
	if err != nil {
		return at, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p == gatehouse.StorageProgram && !(isFree(b.rpc.insert) && isFree(b.rpc.query)) {
		b.rpc = rpc{free[1], free[2]}
	}
	return ports{free[0], b.rpc}, nil
}

// moved reports whether vmstorage is elsewhere since the ports were picked.
func (b *portBook) moved(since ports) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rpc != since.rpc
}

// freePorts picks different free ports. Another program may take one before ours does; then ours ends and the next start picks others.
func freePorts(n int) ([]int, error) {
	var all []int
	for range n {
		l, err := net.Listen("tcp4", loopback(0))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().(*net.TCPAddr).Port)
	}
	return all, nil
}

func freePort() (int, error) {
	free, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return free[0], nil
}

func isFree(port int) bool {
	if port == 0 {
		return false // it was not picked yet
	}
	l, err := net.Listen("tcp4", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
