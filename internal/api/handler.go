package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

const jsonMedia = "application/json"

// call is one request to an endpoint, decoded.
type call[In any] struct {
	ctx   context.Context
	actor gatehouse.Actor
	path  func(name string) string // value of a part of the path
	in    In
}

// none is the input of endpoints that take none, and the output of those that answer 204.
type none struct{}

// serveJSON makes a handler of an endpoint: decode, call, encode.
func serveJSON[In, Out any](f func(call[In]) (Out, error)) keyHandler {
	return func(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
		c := call[In]{ctx: r.Context(), actor: actor, path: r.PathValue}
		if err := decodeRequest(r, &c.in); err != nil {
			return err
		}
		out, err := f(c)
		if err != nil {
			return nameField(err)
		}
		return writeJSON(w, out)
	}
}

func writeJSON(w http.ResponseWriter, out any) error {
	if _, empty := out.(none); empty {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	var body bytes.Buffer // so that an answer that fails half-way does not go out
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	w.Header().Set("Content-Type", jsonMedia)
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n"))) // the client has gone: nobody is left to tell
	return nil
}

// httpHandler answers a request, or gives an error for which nothing has been written yet.
type httpHandler func(w http.ResponseWriter, r *http.Request) error

// keyHandler is an httpHandler for the holder of an API key. The body of the request has been read, and is in memory.
type keyHandler func(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error

// answer makes an http.Handler of h.
func (a *api) answer(h httpHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recovered(w, r)
		header := w.Header()
		header.Set("Cache-Control", "no-store") // answers hold secrets, and are true at this moment only
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // a rule file is no page
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// recovered turns a panic into an error and a log line.
func (a *api) recovered(w http.ResponseWriter, r *http.Request) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		a.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
	}
}

// handler is what serves a route.
func (a *api) handler(route route) http.Handler {
	if route.public != nil {
		return a.answer(func(w http.ResponseWriter, r *http.Request) error {
			if err := refuseQuery(r.URL.RawQuery); err != nil {
				return err
			}
			return route.public(w, r)
		})
	}
	return a.answer(func(w http.ResponseWriter, r *http.Request) error {
		actor, err := a.identify(w, r)
		if err != nil {
			return err
		}
		release, err := a.limits.enter(r.Context(), w.Header(), actor.ID, route.searches)
		if err != nil {
			return err
		}
		defer release()
		if !route.hasQuery() {
			if err := refuseQuery(r.URL.RawQuery); err != nil {
				return err
			}
		}
		if err := readAhead(w, r, route.mostBody); err != nil {
			return err
		}
		// Until here, the client decides how long it takes, and the key may have been revoked in between.
		if actor, err = a.Control.KeyActorAgain(r.Context(), r.Header.Get(KeyHeader), actor.Addr); err != nil {
			return err
		}
		return route.serve(w, r, actor)
	})
}

// identify gives the holder of the request's API key.
func (a *api) identify(w http.ResponseWriter, r *http.Request) (gatehouse.Actor, error) {
	client := gatehouse.Client{Addr: clientaddr.Of(r, a.TrustedProxies), UserAgent: r.UserAgent()}
	values := r.Header.Values(KeyHeader)
	if len(values) > 1 {
		return gatehouse.Actor{}, gatehouse.Errorf(gatehouse.Unauthenticated, "the header %s is there %d times; send it once", KeyHeader, len(values))
	}
	value := r.Header.Get(KeyHeader)
	hash, network := secret.Hash(value), clientaddr.Network(client.Addr)
	if err := a.limits.mayTry(w.Header(), network, hash); err != nil {
		return gatehouse.Actor{}, err
	}
	actor, err := a.Control.KeyActor(r.Context(), value, client)
	switch gatehouse.ErrorCode(err) {
	case "":
		a.limits.known(hash)
	case gatehouse.Unauthenticated:
		a.limits.failed(network, hash)
	}
	return actor, err
}
