//go:build !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

func endWithParent() *syscall.SysProcAttr { return nil }

type usage struct {
	cpu            time.Duration
	resident, peak int64
}

func (p *process) use() (usage, error) {
	return usage{}, errors.New("the benchmark reads /proc, so it needs Linux")
}
