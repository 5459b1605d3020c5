package api

import (
	"cmp"

	"gatehouse/internal/gatehouse"
)

const defaultLogLines, mostLogLines = 100, 2000

type logTail struct {
	Log   string `query:"log" doc:"Which log: engine of a single node; vmstorage, vminsert or vmselect of a cluster; vmalert. Left out: engine." example:"engine"`
	Lines int    `query:"lines" doc:"How many lines, 1 to 2000. 0 or left out: 100." example:"100"`
}

// tailLog gives the last lines of a log, the oldest first.
func (a *api) tailLog(c call[logTail]) ([]string, error) {
	d, err := c.deployment(a)
	if err != nil {
		return nil, err
	}
	name, err := gatehouse.ParseLogName(cmp.Or(c.in.Log, string(gatehouse.EngineLog)))
	if err != nil {
		return nil, err
	}
	n := cmp.Or(c.in.Lines, defaultLogLines)
	if n < 1 || n > mostLogLines {
		return nil, gatehouse.InvalidField("lines", "the number of lines is out of range; choose 1 to %d", mostLogLines)
	}
	lines, err := a.Control.Log(c.ctx, c.actor, d.ID, name, n)
	if lines == nil {
		lines = []string{}
	}
	return lines, err
}
