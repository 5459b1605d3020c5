package api

func (a *api) stopDeployment(c call[none]) (none, error) {
	d, err := c.deployment(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.StopDeployment(c.ctx, c.actor, d.ID)
}

func (a *api) startDeployment(c call[none]) (none, error) {
	d, err := c.deployment(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.StartDeployment(c.ctx, c.actor, d.ID)
}
