package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	connections = 32

	queryPath  = "/api/v1/query?query=up"
	writePath  = "/api/v1/write"
	exportPath = "/api/v1/export"
)

// load is one kind of request.
type load struct {
	name string
	body int // bytes; 0: a GET that is answered with 10 KB
}

var loads = []load{
	{"GET, 10 KB answer", 0},
	{"POST 2 KB", 2 << 10},
	{"POST 64 KB", 64 << 10},
	{"POST 512 KB", 512 << 10},
}

// sample is what one round measured.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the proxy, per request
	usage     usage         // after the round
}

// measure loads the proxy for a while, over kept connections and with tokens drawn at random.
func measure(ctx context.Context, p *process, l load, tokens []string, d time.Duration) (sample, error) {
	before, err := p.use()
	if err != nil {
		return sample{}, err
	}
	begun := time.Now()
	latencies, err := l.run(ctx, p.addr, tokens, d)
	if err != nil {
		return sample{}, err
	}
	took := time.Since(begun)
	after, err := p.use()
	if err != nil {
		return sample{}, err
	}
	n := len(latencies)
	if n == 0 {
		return sample{}, fmt.Errorf("no request was answered in %v", d)
	}
	slices.Sort(latencies)
	return sample{
		perSecond: float64(n) / took.Seconds(),
		p50:       latencies[n/2],
		p99:       latencies[n*99/100],
		cpu:       (after.cpu - before.cpu) / time.Duration(n),
		usage:     after,
	}, nil
}

// run sends requests until the time is up, and gives how long each took.
func (l load) run(ctx context.Context, addr string, tokens []string, d time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			latencies, err := l.runOne(ctx, addr, tokens)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, latencies...)
			if err != nil {
				failed = err
				cancel()
			}
		})
	}
	group.Wait()
	return all, failed
}

// runOne uses one connection.
func (l load) runOne(ctx context.Context, addr string, tokens []string) ([]time.Duration, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	body := make([]byte, l.body)
	var latencies []time.Duration
	for ctx.Err() == nil {
		begun := time.Now()
		if err := c.exchange(l, tokens[rand.IntN(len(tokens))], body); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(begun))
	}
	return latencies, nil
}

// client is one HTTP/1.1 connection. net/http's client would take as much CPU as the proxies that are measured.
type client struct {
	net.Conn
	answers *bufio.Reader
	head    []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{Conn: conn, answers: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// exchange sends one request and reads its answer, which must be a success.
func (c *client) exchange(l load, token string, body []byte) error {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if l.body == 0 {
		c.head = fmt.Appendf(c.head[:0], "GET %s HTTP/1.1\r\nHost: gatehouse.test\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\n\r\n", queryPath, token)
	} else {
		c.head = fmt.Appendf(c.head[:0], "POST %s HTTP/1.1\r\nHost: gatehouse.test\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/x-protobuf\r\nContent-Encoding: zstd\r\nContent-Length: %d\r\n\r\n", writePath, token, l.body)
	}
	request := net.Buffers{c.head, body}
	if _, err := request.WriteTo(c.Conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", c.RemoteAddr(), answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// answers asks once, over a connection of its own.
func answers(addr, token string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.exchange(loads[0], token, nil)
}
