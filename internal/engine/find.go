package engine

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// CanRun tells what a Supervisor with this Dir would tell.
func CanRun(dir string, t gatehouse.DeploymentType) error {
	return (&Supervisor{cfg: Config{Dir: dir}}).CanRun(t)
}

// FindProgram gives the path of the victoria-metrics program that a Supervisor with this Dir would run, and its version, or "" when it
// does not tell. The error says where to put one.
func FindProgram(ctx context.Context, dir string) (path, version string, err error) {
	path, err = (&Supervisor{cfg: Config{Dir: dir}}).findProgram(gatehouse.SingleProgram)
	if err != nil {
		return "", "", err
	}
	return path, programVersion(ctx, path), nil
}
