package gatehouse

import (
	"slices"
	"strings"
)

// Program is one of the VictoriaMetrics programs that Gatehouse runs for a managed deployment, as people call it.
type Program string

const (
	SingleProgram  Program = "VictoriaMetrics"
	StorageProgram Program = "vmstorage"
	InsertProgram  Program = "vminsert"
	SelectProgram  Program = "vmselect"
)

// Programs are all of them.
var Programs = []Program{SingleProgram, InsertProgram, SelectProgram, StorageProgram}

var (
	singlePrograms  = []Program{SingleProgram}
	clusterPrograms = []Program{StorageProgram, SelectProgram, InsertProgram}
)

// Programs are those of a managed deployment of the type, in the order in which they start. They end in the opposite one: the data is
// with the first, and the last still has samples for it.
func (t DeploymentType) Programs() []Program {
	if t == Cluster {
		return clusterPrograms
	}
	return singlePrograms
}

// Of gives the flags of one program.
func (f Flags) Of(p Program) []string {
	switch p {
	case StorageProgram:
		return f.Storage
	case SelectProgram:
		return f.Select
	case InsertProgram:
		return f.Insert
	}
	return f.Single
}

// IsZero reports whether there are none.
func (f Flags) IsZero() bool { return len(f.Single)+len(f.Select)+len(f.Storage)+len(f.Insert) == 0 }

// Set replaces the flags of one program.
func (f *Flags) Set(p Program, flags []string) {
	switch p {
	case StorageProgram:
		f.Storage = flags
	case SelectProgram:
		f.Select = flags
	case InsertProgram:
		f.Insert = flags
	default:
		f.Single = flags
	}
}

// FlagsField names the input for the program's flags, as the management API does for a cluster.
func (p Program) FlagsField() string {
	switch p {
	case StorageProgram:
		return "storage_flags"
	case SelectProgram:
		return "select_flags"
	case InsertProgram:
		return "insert_flags"
	}
	return "flags"
}

// FlagsLabel names the program's flags for people.
func (p Program) FlagsLabel() string {
	if p == SingleProgram {
		return "Flags"
	}
	return "Flags of " + string(p)
}

// Log is the log that the program writes.
func (p Program) Log() LogName {
	if p == SingleProgram {
		return EngineLog
	}
	return LogName(p)
}

// Logs are those that the deployment may have: of its programs, the first of which keeps the data, and of vmalert.
func (d Deployment) Logs() []LogName {
	if d.Connected() {
		return []LogName{VmalertLog}
	}
	var all []LogName
	for _, p := range d.Type.Programs() {
		all = append(all, p.Log())
	}
	return append(all, VmalertLog)
}

// TroubledLog is the log of the program with whose name the state of a managed deployment begins, or else of the one that keeps the data.
func (d Deployment) TroubledLog() LogName {
	programs := d.Type.Programs()
	i := slices.IndexFunc(programs, func(p Program) bool { return strings.HasPrefix(d.State.Detail, string(p)) })
	return programs[max(0, i)].Log()
}

// HasLog reports whether the log is one of the deployment's.
func (d Deployment) HasLog(n LogName) bool { return slices.Contains(d.Logs(), n) }
