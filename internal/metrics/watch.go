package metrics

import "github.com/prometheus/client_golang/prometheus"

// watches are the figures of logs that are followed beside the queues, by
// device.
type watches struct {
	up       *prometheus.GaugeVec
	failed   *prometheus.CounterVec
	found    *prometheus.CounterVec
	troubles *prometheus.GaugeVec
}

func newWatches(to *prometheus.Registry) (w watches) {
	w.up = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rollcall_watch_up", Help: "1 while the logs of the device are followed, 0 while they are not.",
	}, []string{"device"})
	w.failed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rollcall_watch_failures_total", Help: "How often following the logs of the device ended with an error, and began again.",
	}, []string{"device"})
	w.found = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rollcall_watch_findings_total", Help: "Findings in logs that are followed, each time that they are told.",
	}, []string{"device", "code", "grade"})
	w.troubles = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rollcall_watch_trouble", Help: "1 for what keeps findings in logs from being seen, since it was told, until it is over.",
	}, []string{"device", "code"})
	to.MustRegister(w.up, w.failed, w.found, w.troubles)
	return w
}

// Watching says whether the logs of a device are followed.
func (m *Metrics) Watching(device string, is bool) {
	if m == nil || device == "" {
		return
	}
	m.watches.up.WithLabelValues(device).Set(truth(is))
}

// WatchFailed counts that following the logs of a device ended; its device is
// empty where its campaign file cannot be read.
func (m *Metrics) WatchFailed(device string) {
	if m != nil {
		m.watches.failed.WithLabelValues(device).Inc()
	}
}

// WatchFound counts a finding.
func (m *Metrics) WatchFound(device, code, grade string) {
	if m != nil {
		m.watches.found.WithLabelValues(device, code, grade).Inc()
	}
}

// WatchTrouble says that something keeps findings from being seen, or does no
// more.
func (m *Metrics) WatchTrouble(device, code string, is bool) {
	if m != nil {
		m.watches.troubles.WithLabelValues(device, code).Set(truth(is))
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
