package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// proxy is a program to compare.
type proxy struct {
	name    string
	program string
	remedy  string // what to do when the program is missing
	// prepare writes configuration for the fleet into an empty folder, and gives the process to start.
	prepare func(ctx context.Context, program, dir, backend string, f *fleet) (*process, error)
}

// findProxies gives Gatehouse and those of its peers that were asked for and are there. What is missing is said.
func (b *bench) findProxies() ([]proxy, error) {
	all := []proxy{
		{"gatehouse", b.gatehouse, "go tool task build", prepareGatehouse},
		{"vmauth", b.vmauth, "go tool task engine", prepareVmauth},
		{"nginx", "nginx", "apt-get install --no-install-recommends nginx", prepareNginx},
		{"haproxy", "haproxy", "apt-get install --no-install-recommends haproxy", prepareHAProxy},
	}
	var found []proxy
	for i, p := range all {
		if i > 0 && !slices.Contains(strings.Split(b.peers, ","), p.name) {
			continue
		}
		program, err := findProgram(p.program)
		switch {
		case err == nil:
			p.program = program
			found = append(found, p)
		case i == 0:
			return nil, fmt.Errorf("%w; build it with: %s", err, p.remedy)
		default:
			fmt.Fprintf(b.out, "%s is left out: %v; get it with: %s\n", p.name, err, p.remedy)
		}
	}
	return found, nil
}

func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name)) // not in everybody's PATH
}

// start starts the proxy and waits until it lets a token through.
func (p proxy) start(ctx context.Context, b *bench, f *fleet) (*process, error) {
	dir, err := os.MkdirTemp(b.dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	prepared, err := p.prepare(ctx, p.program, dir, b.backend.addr, f)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", p.name, err)
	}
	return prepared, startReady(ctx, prepared, f)
}

// startReady starts a proxy and waits until it lets a token of the fleet through.
func startReady(ctx context.Context, p *process, f *fleet) error {
	if err := p.start(); err != nil {
		return err
	}
	err := p.waitUntil(ctx, func() error { return answers(p.addr, f.tokens[0]) })
	if err != nil {
		p.stop()
	}
	return err
}

func prepareVmauth(ctx context.Context, program, dir, backend string, f *fleet) (*process, error) {
	config := filepath.Join(dir, "auth.yml")
	err := writeFile(config, func(w io.Writer) {
		fmt.Fprintln(w, "users:")
		for _, token := range f.tokens {
			fmt.Fprintf(w, "- bearer_token: %q\n  url_prefix: http://%s\n", token, backend)
		}
	})
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := command(ctx, program, "-auth.config="+config, "-httpListenAddr="+addr)
	p.addr = addr
	return p, nil
}

func prepareNginx(ctx context.Context, program, dir, backend string, f *fleet) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	err = writeFile(config, func(w io.Writer) {
		fmt.Fprintf(w, nginxConfig[0], dir)
		for _, token := range f.tokens {
			fmt.Fprintf(w, "    \"Bearer %s\" rw;\n", token)
		}
		fmt.Fprintf(w, nginxConfig[1], backend, addr)
	})
	if err != nil {
		return nil, err
	}
	p := command(ctx, program, "-c", config, "-p", dir, "-e", "stderr")
	p.addr = addr
	return p, nil
}

// nginxConfig streams bodies, as the others do: by default nginx would write those of 64 KB and more to files.
var nginxConfig = [2]string{`daemon off;
worker_processes auto;
pid %[1]s/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  map_hash_max_size 524288;
  map_hash_bucket_size 128;
  map $http_authorization $access {
    default "";
`, `  }
  upstream backend { server %s; keepalive 64; }
  server {
    listen %s;
    keepalive_requests 100000000;
    client_max_body_size 0;
    location / {
      if ($access = "") { return 401; }
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Authorization "";
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`}

func prepareHAProxy(ctx context.Context, program, dir, backend string, f *fleet) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	list, config := filepath.Join(dir, "tokens.map"), filepath.Join(dir, "haproxy.cfg")
	err = writeFile(list, func(w io.Writer) {
		for _, token := range f.tokens {
			fmt.Fprintf(w, "%s rw\n", token)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := writeFile(config, func(w io.Writer) { fmt.Fprintf(w, haproxyConfig, addr, list, backend) }); err != nil {
		return nil, err
	}
	p := command(ctx, program, "-db", "-q", "-f", config)
	p.addr = addr
	return p, nil
}

const haproxyConfig = `global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 300s
  option forwardfor
  http-reuse always
frontend access
  bind %s
  http-request deny deny_status 401 unless { http_auth_bearer,map_str(%s) -m found }
  http-request del-header Authorization
  default_backend storage
backend storage
  server only %s
`

// writeFile fills a file that only its owner may read, since tokens stand in it.
func writeFile(path string, fill func(io.Writer)) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fill(w)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
