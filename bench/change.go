package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

const changes = 20

// actor is who makes the changes.
var actor = gatehouse.Actor{Kind: gatehouse.System, Name: "bench", Role: gatehouse.Admin}

// change measures how long creating and revoking a token takes until it is in force, among few tokens and among most.
func (b *bench) change(ctx context.Context, most int) error {
	t := newTable(b.out, "A change comes into force", "tokens", "changed by", "create ms", "revoke ms")
	for _, count := range []int{10, most} {
		f, err := b.fleet(ctx, count)
		if err != nil {
			return err
		}
		if err := b.changeSame(ctx, t, f); err != nil {
			return err
		}
		if err := b.changeOther(ctx, t, f); err != nil {
			return err
		}
	}
	return t.flush()
}

// changeSame wires store, control plane and access table together as gatehouse serve does: when the call returns, the change is in
// force.
func (b *bench) changeSame(ctx context.Context, t *table, f *fleet) error {
	store, sealer, err := openData(ctx, f.dataDir)
	if err != nil {
		return err
	}
	defer store.Close()
	quiet := slog.New(slog.DiscardHandler)
	accessTable := access.NewTable(quiet)
	follower := access.NewFollower(store, accessTable.Apply, quiet)
	if err := follower.Load(ctx); err != nil {
		return err
	}
	ctl := control.New(control.Config{Store: store, Sealer: sealer, Publish: follower.Sync})
	return timeChanges(ctx, t, f, "the server's own process", ctl, func(int) error { return nil })
}

// changeOther changes the data directory of a running server from another process, as the command line does.
func (b *bench) changeOther(ctx context.Context, t *table, f *fleet) error {
	server, err := b.proxies[0].start(ctx, b, f)
	if err != nil {
		return err
	}
	defer server.stop()
	store, sealer, err := openData(ctx, f.dataDir)
	if err != nil {
		return err
	}
	defer store.Close()
	ctl := control.New(control.Config{Store: store, Sealer: sealer})
	before, err := server.tokens(ctx)
	if err != nil {
		return err
	}
	return timeChanges(ctx, t, f, "another process", ctl, func(more int) error {
		return server.waitUntil(ctx, func() error {
			if now, err := server.tokens(ctx); err != nil || now != before+more {
				return fmt.Errorf("there are %d tokens in force instead of %d: %w", now, before+more, err)
			}
			return nil
		})
	})
}

// tokens asks Gatehouse how many tokens it lets in. To try one that does not work is no way to find out: who comes with wrong
// tokens gets late answers.
func (p *process) tokens(ctx context.Context) (n int, err error) {
	page, err := get(ctx, "http://"+p.ops+"/metrics")
	if err != nil {
		return 0, err
	}
	const name = "gatehouse_access_tokens "
	_, rest, found := strings.Cut(page, "\n"+name)
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	_, err = fmt.Sscan(rest, &n)
	return n, err
}

// timeChanges creates and revokes tokens; inForce waits until there are so many more than before.
func timeChanges(ctx context.Context, t *table, f *fleet, by string, ctl *control.Control, inForce func(more int) error) error {
	var created, revoked []time.Duration
	for i := range changes {
		begun := time.Now()
		token, _, err := ctl.CreateToken(ctx, actor, gatehouse.NewToken{DeploymentID: deploymentName, Name: fmt.Sprint("change ", i), Access: gatehouse.ReadWrite})
		if err != nil {
			return err
		}
		if err := inForce(1); err != nil {
			return err
		}
		created = append(created, time.Since(begun))
		begun = time.Now()
		if err := ctl.RevokeToken(ctx, actor, token.ID); err != nil {
			return err
		}
		if err := inForce(0); err != nil {
			return err
		}
		revoked = append(revoked, time.Since(begun))
	}
	t.row(fmt.Sprint(len(f.tokens)), by, milliseconds(median(created)), milliseconds(median(revoked)))
	return nil
}

func openData(ctx context.Context, dir string) (*sqlite.Store, *secret.Sealer, error) {
	store, err := sqlite.Open(ctx, filepath.Join(dir, sqlite.File))
	if err != nil {
		return nil, nil, err
	}
	sealer, err := secret.LoadSealer(filepath.Join(dir, secret.KeysetFile))
	if err != nil {
		store.Close()
	}
	return store, sealer, err
}
