package access

import "gatehouse/internal/gatehouse"

// Load tells how busy the endpoint is with all tokens together.
func (h *Handler) Load() gatehouse.EndpointLoad {
	return gatehouse.EndpointLoad{Running: int(h.gate.running.Load()), Waiting: int(h.gate.waiting.Load()), Limit: int(h.limit)}
}
