package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

// deploymentName is the one deployment of the benchmark's data directories.
const deploymentName = "bench"

// fleet is tokens, and a data directory that holds them all.
type fleet struct {
	tokens  []string
	dataDir string
}

// fleet makes tokens and their data directory, or gives those it has made before.
func (b *bench) fleet(ctx context.Context, count int) (*fleet, error) {
	if f := b.fleets[count]; f != nil {
		return f, nil
	}
	f := &fleet{tokens: make([]string, count), dataDir: filepath.Join(b.dir, fmt.Sprint("data-", count))}
	for i := range f.tokens {
		f.tokens[i] = secret.New(secret.AccessToken).Reveal()
	}
	b.fleets[count] = f
	return f, fillDataDir(ctx, b.proxies[0].program, f.dataDir, b.backend.addr, f.tokens)
}

func prepareGatehouse(ctx context.Context, program, _, _ string, f *fleet) (*process, error) {
	return serveGatehouse(ctx, program, f.dataDir)
}

// serveGatehouse prepares a server on a data directory.
func serveGatehouse(ctx context.Context, program, dir string) (*process, error) {
	var addrs [3]string
	for i := range addrs {
		var err error
		if addrs[i], err = freeAddr(); err != nil {
			return nil, err
		}
	}
	p := command(ctx, program, "serve", "--data-dir", dir, "--access-listen", addrs[0], "--ops-listen", addrs[1], "--console-listen", addrs[2])
	p.addr, p.ops = addrs[0], addrs[1]
	return p, nil
}

// fillDataDir makes a data directory with one connected deployment that has all the tokens.
func fillDataDir(ctx context.Context, program, dir, backend string, tokens []string) error {
	connect := command(ctx, program, "deployment", "connect", deploymentName, "--type", "single_node", "--url", "http://"+backend, "--data-dir", dir)
	if err := connect.cmd.Run(); err != nil {
		return fmt.Errorf("connect a deployment: %w: %s", err, connect.log.String())
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, sqlite.File))
	if err != nil {
		return err
	}
	defer store.Close()
	sealer, err := secret.LoadSealer(filepath.Join(dir, secret.KeysetFile))
	if err != nil {
		return err
	}
	d, err := store.FindDeployment(ctx, deploymentName)
	if err != nil {
		return err
	}
	for number := 0; len(tokens) > 0; {
		var batch []gatehouse.StoredToken
		for _, value := range tokens[:min(len(tokens), 10_000)] {
			number++
			t, err := newStoredToken(sealer, secret.From(value), d.ID, fmt.Sprintf("agent %d of the fleet", number))
			if err != nil {
				return err
			}
			batch = append(batch, t)
		}
		if err := store.CreateTokens(ctx, batch); err != nil {
			return err
		}
		tokens = tokens[len(batch):]
	}
	return store.PruneChanges(ctx) // as servers did that ran while the tokens were made
}

func newStoredToken(sealer *secret.Sealer, value secret.Secret, deploymentID, name string) (gatehouse.StoredToken, error) {
	t := gatehouse.Token{
		ID: uuid.NewString(), DeploymentID: deploymentID, Name: name, Access: gatehouse.ReadWrite,
		Mask: value.Mask(), CreatedAt: time.Now(), CreatedBy: "bench",
	}
	sealed, err := sealer.Seal(value, t.ID)
	return gatehouse.StoredToken{Token: t, Hash: value.Hash(), Sealed: sealed}, err
}
