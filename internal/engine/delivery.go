package engine

import "time"

// delivery follows whether a vmalert gets its alerts to the notifier, which it says only in its metrics and its log.
type delivery struct {
	sent, failed     float64   // alerts, as vmalert counts them; failed ones are among the sent
	sentAt, failedAt time.Time // when they last became more
}

// deliverySettled is how long ago an attempt must be to have been successful: vmalert waits 10 s for the notifier.
const deliverySettled = 15 * time.Second

// problem says what is wrong, or "", by the latest page of vmalert's metrics.
func (d *delivery) problem(page []byte, now time.Time) string {
	sent, failed := total(page, "vmalert_alerts_sent_total{"), total(page, "vmalert_alerts_send_errors_total{")
	if sent > d.sent {
		d.sentAt = now
	}
	if failed > d.failed {
		d.failedAt = now
	}
	d.sent, d.failed = sent, failed
	if d.failedAt.IsZero() || d.sentAt.After(d.failedAt) && now.Sub(d.sentAt) > deliverySettled {
		return ""
	}
	return "alerts do not reach the notifier; check its URL and that it runs. The log of vmalert says why, and vmalert goes on trying"
}

// total adds up the samples of a page whose series begin so.
func total(page []byte, beginning string) (sum float64) {
	for _, value := range samples(page, beginning) {
		sum += value
	}
	return sum
}
