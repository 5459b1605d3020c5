package api

type notifier struct {
	URL string `json:"notifier_url" doc:"URL of the Alertmanager that gets the alerts of the deployment's rules. Empty: none does." example:"http://alertmanager:9093"`
}

type newNotifier struct {
	URL *string `json:"notifier_url" doc:"URL of the Alertmanager. Empty: none gets the alerts any more." required:"true" example:"http://alertmanager:9093"`
}

func (a *api) getNotifier(c call[none]) (notifier, error) {
	d, err := c.deployment(a)
	return notifier{d.NotifierURL}, err
}

func (a *api) setNotifier(c call[newNotifier]) (none, error) {
	d, err := c.deployment(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.SetNotifier(c.ctx, c.actor, d.ID, *c.in.URL)
}
