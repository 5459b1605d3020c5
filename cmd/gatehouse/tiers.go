package main

import (
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/tierfile"
)

// useTiers sets the tiers of this process, before anything runs that could look one up.
func (c *commands) useTiers() error {
	if c.Tiers == "" {
		return nil
	}
	tiers, err := tierfile.Load(c.Tiers)
	if err == nil {
		gatehouse.Tiers = tiers
	}
	return err
}
