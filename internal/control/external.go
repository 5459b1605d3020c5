package control

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// ExternalSignInFailed records that somebody came back from the identity provider and was not let in. id holds what is known of
// them. Failures of the provider or of Gatehouse are no attempts, and are for the log.
func (c *Control) ExternalSignInFailed(ctx context.Context, client gatehouse.Client, id gatehouse.Identity, reason error) error {
	switch gatehouse.ErrorCode(reason) {
	case gatehouse.Unauthenticated, gatehouse.Forbidden, gatehouse.Invalid:
	default:
		return nil
	}
	if err := c.slowDown(ctx, "", client.Addr); err != nil {
		return err
	}
	return c.recordFailure(ctx, client.Addr, id.Email, "", gatehouse.ErrorMessage(reason))
}
