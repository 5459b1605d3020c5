package engine

import (
	"slices"
	"sync"

	"gatehouse/internal/gatehouse"
)

// standing is how a program is doing, or all of a deployment's.
type standing struct {
	status   gatehouse.Status
	detail   string
	version  string
	endpoint *Endpoint // while it serves
}

// board has the standings of a deployment's programs, and tells what they come to.
type board struct {
	programs []gatehouse.Program
	tell     func(standing) // calls come one after another

	mu        sync.Mutex
	standings map[gatehouse.Program]standing
}

// note takes down how a program is doing.
func (b *board) note(p gatehouse.Program, s standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.standings == nil {
		b.standings = map[gatehouse.Program]standing{}
	}
	b.standings[p] = s
	b.tell(b.sum())
}

// worstFirst orders what a deployment is called when its programs are not at one. It is Stopped when one of them is, since one that is
// asked to end never starts again.
var worstFirst = []gatehouse.Status{gatehouse.Stopped, gatehouse.Failed, gatehouse.Provisioning, gatehouse.Running}

// sum is the worst of the standings, with the URLs of the programs that serve: while queries fail, writes may go on. Without the one that
// keeps the data, or without room on its disk, vminsert would let writers wait for ever, who should rather hear that they have to try
// again.
func (b *board) sum() standing {
	all := make([]standing, len(b.programs))
	for i, p := range b.programs {
		all[i] = b.standings[p]
		if all[i].status == "" {
			all[i].status = gatehouse.Provisioning // it has not started yet
		}
	}
	sum := slices.MinFunc(all, func(a, b standing) int {
		return slices.Index(worstFirst, a.status) - slices.Index(worstFirst, b.status)
	})
	sum.version, sum.endpoint = all[0].version, nil
	lead := all[0]
	for i, s := range all {
		full := lead.status == gatehouse.Failed && b.programs[i] == gatehouse.InsertProgram
		if s.endpoint != nil && lead.endpoint != nil && !full {
			sum.endpoint = sum.endpoint.with(b.programs[i], *s.endpoint)
		}
	}
	return sum
}

// with adds the URL of a program that serves to those of the others, of which there may be none yet.
func (e *Endpoint) with(p gatehouse.Program, serves Endpoint) *Endpoint {
	if p == gatehouse.SingleProgram {
		return &serves
	}
	sum := Endpoint{Username: serves.Username, Password: serves.Password}
	if e != nil {
		sum = *e
	}
	switch p {
	case gatehouse.StorageProgram:
		sum.StorageURL = serves.URL
	case gatehouse.InsertProgram:
		sum.InsertURL = serves.URL
	case gatehouse.SelectProgram:
		sum.SelectURL = serves.URL
	}
	return &sum
}
