package engine

import (
	"path/filepath"
	"strconv"

	"gatehouse/internal/gatehouse"
)

// cachePercent is how much of the machine's memory all engines together may use for caches. It is what VictoriaMetrics takes when it
// is alone; the rest is for queries and for the system's cache of files.
const cachePercent = 60

// memoryPercent divides what a cluster may use among its programs. vmstorage has the index and the caches for it; vmselect keeps
// answers; vminsert holds samples on their way.
var memoryPercent = map[gatehouse.Program]int{
	gatehouse.SingleProgram: 100, gatehouse.StorageProgram: 60, gatehouse.SelectProgram: 25, gatehouse.InsertProgram: 15,
}

// memoryShare is what an engine needs to know of the others.
type memoryShare struct {
	engines int    // managed deployments on this machine, this one among them
	bytes   uint64 // of the machine, or of the container; 0 when not known
}

// flags limit an engine's caches. One without a tier gets an equal share of cachePercent, so that ten engines do not expect six
// times the memory that there is. It is worked out when the engine starts: those that run already are not restarted for a new one.
func (m memoryShare) flags(t gatehouse.Tier, p gatehouse.Program) []string {
	if t.MemoryBytes == 0 {
		return []string{"-memory.allowedPercent=" + strconv.Itoa(max(1, cachePercent*memoryPercent[p]/100/max(1, m.engines)))}
	}
	bytes := t.MemoryBytes
	if most := int64(m.bytes / 100 * cachePercent); most > 0 {
		bytes = min(bytes, most) // with more than there is, VictoriaMetrics does not start
	}
	return []string{"-memory.allowedBytes=" + strconv.FormatInt(bytes*int64(memoryPercent[p])/100, 10)}
}

// memory looks at the machine anew for each start.
func (s *Supervisor) memory() memoryShare {
	ids, err := foldersIn(filepath.Join(s.cfg.DataDir, "deployments"))
	if err != nil {
		s.cfg.Log.Warn("cannot count the engines, to share memory among them", "error", err)
	}
	return memoryShare{engines: len(ids), bytes: memoryBytes()}
}
