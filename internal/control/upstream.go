package control

import (
	"encoding/json"
	"fmt"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func sealUpstream(sealer *secret.Sealer, deploymentID string, u gatehouse.Upstream) ([]byte, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return nil, fmt.Errorf("write upstream settings: %w", err)
	}
	return sealer.Seal(secret.From(string(text)), gatehouse.UpstreamRow(deploymentID))
}

// OpenUpstream opens the upstream settings of d into d.Upstream, for those who talk to the deployment.
func OpenUpstream(sealer *secret.Sealer, d *gatehouse.Deployment) error {
	if len(d.SealedUpstream) == 0 {
		return nil
	}
	text, err := sealer.Open(d.SealedUpstream, gatehouse.UpstreamRow(d.ID))
	if err != nil {
		return fmt.Errorf("open the upstream settings of deployment %q: %w", d.Name, err)
	}
	if err := json.Unmarshal([]byte(text.Reveal()), &d.Upstream); err != nil {
		return fmt.Errorf("the upstream settings of deployment %q are damaged", d.Name) // the cause could repeat them
	}
	return nil
}
